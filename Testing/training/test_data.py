"""A folder of cases is read to its end, whatever ends the process that reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io import headers
from ContrastiveSegLib.file_io.files import write_image
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.settings.shared_settings import CaseSelection
from ContrastiveSegLib.training.data import find_readable_cases


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
