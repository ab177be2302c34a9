"""A folder of cases is read to its end, and what is remarkable about a header is written down."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io import headers
from ContrastiveSegLib.file_io.files import write_image
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.preprocessing.prepared_cache import Outcome
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.session.reporter import working
from ContrastiveSegLib.settings.shared_settings import CaseSelection
from ContrastiveSegLib.training.data import facts_of, find_readable_cases, warn_of_headers, write_cases


def test_where_a_batch_ends_its_reader_each_file_has_its_own_reason(
    tmp_path: Path, a_volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_images: object) -> None:
        raise BadFile("ended the process", "Export it again.")

    for number in range(4):
        write_image(tmp_path / f"case_{number}.nrrd", a_volume)
    (tmp_path / "case_2.nrrd").write_bytes(b"NRRD0004\nsizes: none\n\n")
    (tmp_path / "case_3.nrrd").write_bytes(b"")
    monkeypatch.setattr(headers, "read_batch", die)

    found = find_readable_cases(tmp_path, CaseSelection())

    assert [case.name for case in found.cases] == ["case_0", "case_1"]
    assert len(found.geometries) == 2
    reasons = {out.path.name: out.reason for out in found.listing.left_out}
    assert set(reasons) == {"case_2.nrrd", "case_3.nrrd"}
    assert "is empty" in reasons["case_3.nrrd"]


def test_a_case_in_another_unit_than_the_others_is_said_and_written_down(
    tmp_path: Path, a_volume: Volume, caplog: pytest.LogCaptureFixture
) -> None:
    grid = a_volume.geometry
    microns = replace(grid, spacing=tuple(s * 1000 for s in grid.spacing))
    for name, geometry in {"a": grid, "b": grid, "c": microns}.items():
        write_image(tmp_path / "images" / f"{name}.nrrd", Volume(a_volume.array, geometry))
    run = RunFolder(tmp_path / "run")
    found = find_readable_cases(tmp_path / "images", CaseSelection())

    with working(run, "test") as reporter, caplog.at_level("WARNING"):
        warn_of_headers(found, reporter)
    write_cases(run.path / "cases.csv", found, [Outcome(case, None) for case in found.cases], {})

    assert [r.getMessage()[:16] for r in caplog.records] == ["c: Its field of "]
    rows = list(csv.DictReader(io.StringIO((run.path / "cases.csv").read_text(encoding="utf-8"))))
    assert [bool(row["notes"]) for row in rows] == [False, False, True]
    assert "1000 times larger" in rows[2]["notes"]


def test_a_scan_that_vanishes_after_its_header_was_read_ends_no_job(tmp_path: Path, a_volume: Volume) -> None:
    for name in ("a", "b"):
        write_image(tmp_path / f"{name}.nrrd", a_volume)
    found = find_readable_cases(tmp_path, CaseSelection())
    (tmp_path / "b.nrrd").unlink()

    assert facts_of(found) == {"a": [(tmp_path / "a.nrrd").stat().st_size], "b": [-1]}
