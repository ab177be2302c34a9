"""A run is known by its marker; one of version 0.1 by what it holds; nothing else is taken for one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ContrastiveSegLib.errors import BadFolder
from ContrastiveSegLib.runs.events import log_event
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.runs.run_marker import WRITTEN_AT_THE_TOP

PAGE = {"format": 2, "network": "unet", "arguments": {}, "parts": [], "sha256": ""}
OLD = {
    "settings.json": json.dumps({"pretrain": {"images": "/data", "method": "pcl"}}),
    "finetune/01/settings.json": json.dumps({"finetune": {"labeled": "/data"}, "data": {"identity": "1"}}),
    "pretrain/model.json": json.dumps(PAGE),
    "finetune/03/model.json": json.dumps(PAGE),
    "events.jsonl": '{"time": 1.5, "kind": "start", "job": "pretrain"}\n',
}


def _put(folder: Path, name: str, text: str = "mine") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_new_run_says_what_it_is_and_in_which_version(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.create()

    assert json.loads((run.path / "run.json").read_text()) == {"program": "ContrastiveSeg", "run_format": 1}
    assert run.exists


@pytest.mark.parametrize("name", OLD)
def test_a_run_of_version_0_1_opens_and_gets_its_marker(tmp_path: Path, name: str) -> None:
    _put(tmp_path, name, OLD[name])
    run = RunFolder(tmp_path)
    was_run = run.exists

    run.create()

    assert was_run
    assert (tmp_path / "run.json").is_file()
    assert (tmp_path / name).read_text() == OLD[name]


@pytest.mark.parametrize("name", WRITTEN_AT_THE_TOP)
def test_no_run_begins_where_it_would_write_over_somebody_elses_files(tmp_path: Path, name: str) -> None:
    path = _put(tmp_path, name)

    with pytest.raises(BadFolder, match=f"is no run folder, but holds {name}, where a run would write"):
        RunFolder(tmp_path).create()

    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [(name, "mine")]
    assert path.read_text() == "mine"


def test_a_folder_with_other_things_may_become_a_run(tmp_path: Path) -> None:
    for name in ("notes.txt", "annotations/labels/a.seg.nrrd", "panel/pretrain.json"):
        _put(tmp_path, name)

    RunFolder(tmp_path).create()

    assert RunFolder(tmp_path).exists


def test_a_run_of_a_later_version_is_refused(tmp_path: Path) -> None:
    _put(tmp_path, "run.json", json.dumps({"program": "ContrastiveSeg", "run_format": 7}))

    with pytest.raises(BadFolder, match="format version 7, this program knows versions up to 1"):
        RunFolder(tmp_path).create()


def test_a_marker_that_was_damaged_is_written_again(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.create()
    log_event(run.events, "start", job="finetune")
    _put(run.path, "run.json", '{"prog')

    run.create()

    assert json.loads((run.path / "run.json").read_text())["run_format"] == 1
