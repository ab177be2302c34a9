"""A file where a folder belongs, or a folder where a file belongs, is refused before a job starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from ContrastiveSegLib.errors import BadFile, BadFolder
from ContrastiveSegLib.settings.job_settings import JOBS
from ContrastiveSegLib.settings.places import check_places
from ContrastiveSegLib.settings.rules import IsFile, IsFolder, rules_of

PLACES = [
    (job, name, rule)
    for job, settings in JOBS.items()
    for name, rule in rules_of(settings).items()
    if rule.marked(IsFolder) or rule.marked(IsFile)
]


def _naming(job: str, name: str, path: Path):
    """Settings of a job that name this path alone."""
    settings = object.__new__(JOBS[job])
    for other in rules_of(JOBS[job]):
        object.__setattr__(settings, other, path if other == name else None)
    return settings


@pytest.mark.parametrize(("job", "name", "rule"), PLACES, ids=[f"{job}-{name}" for job, name, _ in PLACES])
def test_the_wrong_kind_of_place_is_refused_and_a_new_one_is_not(tmp_path, job, name, rule):
    file, folder = tmp_path / "a file", tmp_path / "a folder"
    file.touch()
    folder.mkdir()

    check_places(_naming(job, name, tmp_path / "new" / "place"))
    check_places(_naming(job, name, folder if rule.marked(IsFolder) else file))
    for wrong in [file, file / "new"] if rule.marked(IsFolder) else [folder, file / "new"]:
        said = "is a folder, not a file" if wrong == folder else "a file is a file, not a folder"
        with pytest.raises((BadFile, BadFolder), match=said):
            check_places(_naming(job, name, wrong))


def test_slice_level_labels_are_a_table_or_a_folder(tmp_path):
    (tmp_path / "table.csv").touch()

    for place in (tmp_path, tmp_path / "table.csv"):
        check_places(_naming("pretrain", "slice_labels", place))


def test_every_place_that_a_job_writes_to_is_looked_at():
    written = {
        (job, name) for job in JOBS for name in ("run", "output", "prepared") if name in rules_of(JOBS[job])
    }

    assert written - {(job, name) for job, name, _ in PLACES} == {("export", "output")}
