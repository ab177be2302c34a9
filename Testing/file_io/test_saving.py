"""A saved file is complete or not there at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.errors import CannotWrite
from ContrastiveSegLib.file_io import saving
from ContrastiveSegLib.file_io.saving import save_atomically, suffix_of
from ContrastiveSegLib.imaging.case_errors import attempt

SUFFIXES = [".seg.nrrd", ".nrrd", ".nii.gz", ".nii", ".mha"]


@pytest.fixture
def an_image() -> sitk.Image:
    return sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 999, (9, 20, 20)).astype(np.int16))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_only_the_finished_file_remains(tmp_path, an_image, suffix):
    path = tmp_path / "new folder" / f"case{suffix}"

    save_atomically(an_image, path)

    assert names_in(path.parent) == [path.name]
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(sitk.ReadImage(path)), sitk.GetArrayFromImage(an_image)
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_target_never_holds_half_a_file(tmp_path, an_image, monkeypatch, suffix):
    path = tmp_path / f"case{suffix}"
    seen = []
    replace = os.replace

    def look_then_replace(source: Path, target: Path) -> None:
        seen.append((Path(source).parent, path.exists(), sitk.ReadImage(str(source)).GetSize()))
        replace(source, target)

    monkeypatch.setattr(os, "replace", look_then_replace)
    save_atomically(an_image, path)

    assert seen == [(tmp_path, False, (20, 20, 9))]


def test_an_existing_file_is_kept_unless_overwriting_was_allowed(tmp_path, an_image):
    path = tmp_path / "case.nii.gz"
    path.write_text("precious")

    with pytest.raises(CannotWrite, match=r"case\.nii\.gz exists already\. .* allow overwriting"):
        save_atomically(an_image, path)
    assert path.read_text() == "precious"
    save_atomically(an_image, path, overwrite=True)

    assert sitk.ReadImage(path).GetSize() == (20, 20, 9)


@pytest.mark.parametrize(
    ("code", "reason", "remedy"),
    [
        (errno.EACCES, "you have no permission to write there", "Choose a folder that you may write to"),
        (errno.EROFS, "the disk is read-only", "Choose a folder that you may write to"),
        (errno.ENOSPC, "the disk is full", "Free some space"),
    ],
)
def test_a_refusing_disk_is_explained_and_leaves_nothing_behind(
    tmp_path, an_image, monkeypatch, code, reason, remedy
):
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    # A read-only folder does not stop the superuser, who often runs tests in containers.
    monkeypatch.setattr(os, "replace", refuse)

    with pytest.raises(CannotWrite, match=rf"case\.seg\.nrrd cannot be written: {reason}\. {remedy}"):
        save_atomically(an_image, tmp_path / "case.seg.nrrd")
    assert names_in(tmp_path) == []


def test_a_folder_below_a_file_is_explained(tmp_path, an_image):
    (tmp_path / "report.txt").touch()

    with pytest.raises(
        CannotWrite, match=r"case\.nii\.gz cannot be written: a file of that name is in the way"
    ):
        save_atomically(an_image, tmp_path / "report.txt" / "case.nii.gz")


def test_a_name_that_is_too_long_is_explained(tmp_path, an_image):
    with pytest.raises(CannotWrite, match=r"cannot be written: its name is too long\. Choose a shorter name"):
        save_atomically(an_image, tmp_path / f"{'l' * 260}.nii.gz")
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_disk_that_fills_up_while_writing_is_noticed(tmp_path, an_image, suffix):
    resource = pytest.importorskip("resource", reason="file sizes cannot be limited on this system")
    signal = pytest.importorskip("signal")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))

    try:
        with pytest.raises(
            CannotWrite, match=r"could not be written completely .* MB free\)\. Free some space"
        ):
            save_atomically(an_image, tmp_path / f"case{suffix}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)

    assert names_in(tmp_path) == []


@pytest.mark.parametrize("suffix", [".seg.nrrd", ".nii.gz", ".mha"])
def test_a_full_disk_is_what_meets_every_other_case_too(tmp_path, an_image, suffix, monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("ITK ERROR: could not write")

    monkeypatch.setattr(saving.sitk, "WriteImage", refuse)
    monkeypatch.setattr(saving.shutil, "disk_usage", lambda _: SimpleNamespace(free=4096))

    with pytest.raises(CannotWrite, match=rf"case{suffix} cannot be written: the disk is full") as refused:
        attempt("case", save_atomically, an_image, tmp_path / f"case{suffix}")
    assert refused.value.__cause__.errno == errno.ENOSPC
    assert names_in(tmp_path) == []


def test_the_format_follows_the_longest_suffix_in_any_case():
    assert suffix_of(Path("a.b.SEG.NRRD")) == ".seg.nrrd"
    assert suffix_of(Path("a.nii.gz")) == ".nii.gz"


@pytest.mark.parametrize("name", ["case.png", "case", "case.mhd"])
def test_an_unknown_format_is_refused_with_the_known_ones(an_image, name):
    with pytest.raises(CannotWrite, match=rf"{name} has no format .* End the name with \.seg\.nrrd"):
        save_atomically(an_image, Path(name))
