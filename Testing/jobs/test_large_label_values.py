"""Label values that need 32 bits stay as they are from scan to export, whatever type the file has."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.file_io.files import read_labels, write_labels
from Testing.file_io.test_nifti2 import nifti2

# Of structures in an atlas of the mouse brain (Allen CCFv3), above 16 bits, 24 bits and int16.
VALUES = np.array([0, 40000, 65535, 614454277, 182305713], np.int64)
SMALL = ["--patch", "32", "32", "--spacing", "6", "--base-channels", "4", "--batch", "2", "--device", "cpu"]


def _array(path: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


@pytest.fixture(scope="module")
def a_data_set(phantoms, tmp_path_factory) -> Path:
    """Two labeled phantoms with large values: one as float64 NRRD, one as uint32 NIfTI-2."""
    folder = tmp_path_factory.mktemp("atlas")
    for name in ("images", "labels"):
        (folder / name).mkdir()
    kinds = ((".nrrd", np.float64), (".nii", np.uint32))
    for image, (suffix, kind) in zip(sorted((phantoms / "labeled" / "images").iterdir()), kinds, strict=True):
        (folder / "images" / image.name).write_bytes(image.read_bytes())
        (source,) = (phantoms / "labeled" / "labels").glob(f"{image.name.partition('.')[0]}.*")
        read = read_labels(source)
        stored = sitk.GetImageFromArray(VALUES[np.minimum(read.volume.array, 4)].astype(kind))
        stored.CopyInformation(sitk.ReadImage(str(image)))
        target = folder / "labels" / f"{image.name.partition('.')[0]}{suffix}"
        sitk.WriteImage(stored, str(target))
        if suffix == ".nii":
            nifti2(target, target, kind="u4")
    return folder


@pytest.fixture(scope="module")
def a_run(a_data_set, tmp_path_factory) -> Path:
    """Learned from them in a few steps, and predictions of them."""
    run = tmp_path_factory.mktemp("runs") / "run"
    learn = ["--steps", "40", "--strategy", "supervised", "--from", "none", *SMALL]
    assert main(["finetune", str(run), "--labeled", str(a_data_set), *learn]) == 0
    assert main(["predict", str(run), "--images", str(a_data_set / "images"), "--device", "cpu"]) == 0
    return run


def test_scan_lists_them(a_data_set, capsys):
    assert main(["scan", str(a_data_set)]) == 0

    assert "614454277" in capsys.readouterr().out


def test_they_are_predicted_and_judged(a_run, a_data_set, tmp_path):
    predicted = [_array(file) for file in a_run.joinpath("predictions").glob("*.seg.nrrd")]
    judged = ["evaluate", "--predictions", str(a_run / "predictions"), "--labels", str(a_data_set / "labels")]
    assert main([*judged, "--output", str(tmp_path / "cases.csv")]) == 0

    found = {int(value) for array in predicted for value in np.unique(array)}
    assert found <= set(VALUES.tolist())
    assert max(found) > 2**16
    table = (tmp_path / "cases.csv").read_text(encoding="utf-8")
    assert "structure 614454277" in table


@pytest.mark.parametrize("suffix", [".seg.nrrd", ".nrrd", ".nii.gz", ".nii", ".mha"])
def test_each_format_returns_them(a_data_set, tmp_path, suffix):
    read = read_labels(next((a_data_set / "labels").glob("*.nrrd")))

    write_labels(tmp_path / f"case{suffix}", read.volume, read.table)

    again = read_labels(tmp_path / f"case{suffix}")
    np.testing.assert_array_equal(again.volume.array, read.volume.array)
    assert again.table.values == read.table.values


def test_a_bundle_writes_them(a_run, tmp_path):
    assert main(["export", str(a_run), "--to", "monai-bundle", "--output", str(tmp_path / "b")]) == 0

    (post,) = [
        one
        for one in json.loads((tmp_path / "b" / "configs" / "inference.json").read_text())["postprocessing"][
            "transforms"
        ]
        if one["_target_"] == "SaveImaged"
    ]
    assert post["output_dtype"] == "$numpy.int32"
