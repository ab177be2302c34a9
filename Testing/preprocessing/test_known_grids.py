"""A header is read once for all jobs, and again as soon as its file changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import SimpleITK as sitk

from ContrastiveSegLib.file_io.headers import read_geometries
from ContrastiveSegLib.preprocessing import known_grids
from ContrastiveSegLib.preprocessing.known_grids import FILE, find_geometries


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files whose headers are read."""
    names: list[str] = []

    def read(images):
        names.extend(paths[0].name for paths, _ in images)
        return read_geometries(images)

    monkeypatch.setattr(known_grids, "read_geometries", read)
    return names


def _write(path: Path, size: int = 8) -> tuple[list[Path], bool]:
    image = sitk.Image(size, 7, 6, sitk.sitkInt16)
    image.SetSpacing((0.7, 0.8, 5.0))
    sitk.WriteImage(image, path)
    return [path], False


def test_headers_are_read_once_and_again_after_a_change(tmp_path: Path, asked: list[str]) -> None:
    images = [_write(tmp_path / "a.nii.gz"), _write(tmp_path / "b.mha")]
    (tmp_path / "c.nii.gz").write_bytes(b"no volume")
    images.append(([tmp_path / "c.nii.gz"], False))
    store = tmp_path / "prepared"

    plain = [*read_geometries(images)]
    first, second = find_geometries(images, store), find_geometries(images, store)
    _write(tmp_path / "b.mha", size=9)
    third = find_geometries(images, store)

    assert first == second == plain
    assert third[1] is not None
    assert third[1].size == (9, 7, 6)
    # What cannot be read is asked for again, because somebody may have mended it elsewhere.
    assert asked == ["a.nii.gz", "b.mha", "c.nii.gz", "c.nii.gz", "b.mha", "c.nii.gz"]


@pytest.mark.parametrize("content", ["", "[]", '{"format": 0, "grids": {}}', "{"])
def test_a_damaged_file_of_grids_is_written_anew(content: str, tmp_path: Path, asked: list[str]) -> None:
    images, store = [_write(tmp_path / "a.nii.gz")], tmp_path / "prepared"
    store.mkdir()
    (store / FILE).write_text(content)

    found = [find_geometries(images, store) for _ in range(2)]

    assert found[0] == found[1] == [*read_geometries(images)]
    assert asked == ["a.nii.gz"]


def test_the_axis_of_channels_is_part_of_what_is_known(tmp_path: Path, asked: list[str]) -> None:
    (paths, _), store = _write(tmp_path / "a.nii.gz"), tmp_path / "prepared"

    for last_axis_is_channels in (False, True, True):
        find_geometries([(paths, last_axis_is_channels)], store)

    assert asked == ["a.nii.gz"] * 2
    assert [path.name for path in store.iterdir()] == [FILE]
