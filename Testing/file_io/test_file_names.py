"""File names say in which format a file is, and which channel it holds."""

from __future__ import annotations

import unicodedata

import pytest

from ContrastiveSegLib.file_io.file_names import channel_of, split_suffix


@pytest.mark.parametrize(
    ("name", "stem", "suffix"),
    [
        ("a.b.seg.nrrd", "a.b", ".seg.nrrd"),
        ("Liver 3.NII.GZ", "Liver 3", ".nii.gz"),
        ("x.nrrd", "x", ".nrrd"),
        ("x.mhd", "x", ".mhd"),
        ("notes.txt", "notes.txt", ""),
        (".nii.gz", ".nii.gz", ""),
        (unicodedata.normalize("NFD", "Größe.nii"), "Größe", ".nii"),
    ],
)
def test_a_name_is_split_at_the_suffix_of_a_volume(name: str, stem: str, suffix: str) -> None:
    assert split_suffix(name) == (stem, suffix)


def test_only_four_digits_are_a_channel() -> None:
    assert channel_of("brain_0001") == ("brain", 1)
    assert channel_of("hippocampus_001") == ("hippocampus_001", None)
