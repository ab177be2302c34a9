"""Headers read in batches are those read one by one, and one bad file costs itself alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io import headers
from ContrastiveSegLib.file_io.files import read_geometry, write_image
from ContrastiveSegLib.file_io.headers import BATCH, read_geometries
from ContrastiveSegLib.imaging.volume import Geometry, Volume


@pytest.fixture
def images(tmp_path: Path, a_volume: Volume) -> list[tuple[list[Path], bool]]:
    """More than a batch, of three formats and of different grids; one is damaged, one is not there."""
    asked = []
    for number in range(BATCH + 5):
        path = tmp_path / f"case_{number:02d}{('.nrrd', '.nii.gz', '.mha')[number % 3]}"
        grid = Geometry(a_volume.geometry.size, (1.0, 1.0 + number, 2.0))
        write_image(path, Volume(a_volume.array, grid))
        asked.append(([path], False))
    asked[3][0][0].write_bytes(b"NRRD0004\nsizes: none\n\n")
    asked[BATCH + 1][0][0].unlink()
    return asked


def test_batches_give_what_each_file_alone_gives(images, monkeypatch) -> None:
    asked: list[int] = []
    batch = headers.read_batch
    monkeypatch.setattr(headers, "read_batch", lambda some: asked.append(len(some)) or batch(some))

    found = list(read_geometries(images))

    assert asked == [BATCH, 5]
    bad = [3, BATCH + 1]
    assert [number for number, geometry in enumerate(found) if geometry is None] == bad
    for number, (paths, last) in enumerate(images):
        if number not in bad:
            assert found[number] == read_geometry(paths, last_axis_is_channels=last)


def test_a_batch_that_ended_its_reader_is_to_be_asked_for_one_by_one(images, monkeypatch) -> None:
    def die(_images: object) -> None:
        raise BadFile("ended the process", "Export it again.")

    monkeypatch.setattr(headers, "read_batch", die)

    assert list(read_geometries(images)) == [None] * len(images)


def test_series_are_not_asked_for_in_batches(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(headers, "read_batch", lambda _: pytest.fail("a folder was put into a batch"))
    (tmp_path / "series").mkdir()

    assert list(read_geometries([([tmp_path / "series"], False)])) == [None]
