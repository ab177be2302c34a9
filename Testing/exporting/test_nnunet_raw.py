"""Annotated cases become a data set of nnU-Net: its voxels, names and values, and "ignore" elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.file_io.files import read_labels, write_image, write_labels
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.settings.job_settings import FinetuneSettings
from Testing.exporting.foreign import FOREIGN, needs_foreign

TABLE = LabelTable((Structure(3, "liver", (1, 0, 0)), Structure(7, "spleen", (0, 1, 0))))


@pytest.fixture
def a_run(tmp_path, a_volume, a_label_map):
    """A run with annotations of a whole case and of two slices, and an image that nobody annotated."""
    run = RunFolder(tmp_path / "my run")
    run.create()
    labels = np.array([0, 3, 7], np.int16)[np.minimum(a_label_map.array, 2)]
    sparse = np.where(np.isin(np.arange(len(labels)), [2, 5])[:, None, None], labels, 0)
    image = Volume(np.rint(100 * a_volume.array).astype(np.float32), a_volume.geometry)
    for name, drawn in {"whole": labels, "sparse": sparse, "empty": None}.items():
        write_image(run.annotations / "images" / f"{name}.nrrd", image)
        if drawn is not None:
            file = run.annotations / "labels" / f"{name}.seg.nrrd"
            write_labels(file, Volume(drawn, a_volume.geometry), TABLE)
    return run


def _export(run: RunFolder, output: Path) -> int:
    return main(["export", str(run.path), "--to", "nnunet-raw", "--output", str(output)])


def _array(path: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def test_cases_slices_and_names_are_those_of_nnunet(a_run, tmp_path, a_volume, a_label_map, capsys):
    assert _export(a_run, tmp_path / "nnUNet_raw") == 0

    folder = tmp_path / "nnUNet_raw" / "Dataset100_my_run"
    facts = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    assert facts["labels"] == {"background": 0, "liver": 1, "spleen": 2, "ignore": 3}
    assert facts["channel_names"] == {"0": "channel 0"}
    assert (facts["numTraining"], facts["file_ending"]) == (2, ".nii.gz")
    images = sorted(path.name for path in (folder / "imagesTr").iterdir())
    assert images == ["sparse_0000.nii.gz", "whole_0000.nii.gz"]
    classes = np.minimum(a_label_map.array, 2)
    np.testing.assert_array_equal(_array(folder / "labelsTr" / "whole.nii.gz"), classes)
    known = np.isin(np.arange(len(classes)), [2, 5])[:, None, None]
    np.testing.assert_array_equal(_array(folder / "labelsTr" / "sparse.nii.gz"), np.where(known, classes, 3))
    image = sitk.ReadImage(str(folder / "imagesTr" / "whole_0000.nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), np.rint(100 * a_volume.array)[0])
    assert image.GetPixelID() == sitk.sitkInt16
    np.testing.assert_allclose(image.GetOrigin(), a_volume.geometry.origin, atol=1e-4)
    np.testing.assert_allclose(image.GetDirection(), a_volume.geometry.direction, atol=1e-6)
    assert "nnUNetv2_plan_and_preprocess -d 100" in capsys.readouterr().err


@needs_foreign
def test_nnunet_verifies_plans_and_prepares_the_data_set(a_run, tmp_path):
    _export(a_run, tmp_path / "raw" / "Dataset123_Abdomen")
    places = {
        name: str(tmp_path / name.rpartition("_")[2]) for name in ("nnUNet_preprocessed", "nnUNet_results")
    }
    environment = {**os.environ, **places, "nnUNet_raw": str(tmp_path / "raw"), "OMP_NUM_THREADS": "1"}
    program = FOREIGN.parent / "nnUNetv2_plan_and_preprocess"
    words = ["-d", "123", "--verify_dataset_integrity", "-c", "2d", "-np", "1", "-npfp", "1"]

    done = subprocess.run([program, *words], env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr[-2000:]
    assert "verify_dataset_integrity Done" in done.stdout
    assert "Error" not in done.stdout
    made = tmp_path / "preprocessed" / "Dataset123_Abdomen" / "nnUNetPlans_2d"
    assert sorted(path.name for path in made.glob("*_seg.b2nd")) == ["sparse_seg.b2nd", "whole_seg.b2nd"]


def test_the_data_set_is_read_back_with_the_same_structures(a_run, tmp_path):
    _export(a_run, tmp_path / "Dataset123_Abdomen")

    found = find_cases(tmp_path / "Dataset123_Abdomen")

    assert found.layout == "nnU-Net"
    assert found.table is not None
    assert (found.table.names, found.ignored) == (("liver", "spleen"), 3)
    case = next(case for case in found.cases if case.name == "sparse")
    read = read_labels(case.labels, found.table, ignored=case.ignored)
    assert read.unknown is not None
    assert sorted(set(np.flatnonzero(~read.unknown.all((1, 2))))) == [2, 5]


def test_a_listed_slice_is_known_also_where_it_is_empty(a_run, tmp_path):
    table = tmp_path / "slices.csv"
    table.write_text("case,slice\nwhole,0\nwhole,4\n", encoding="utf-8")
    asked = FinetuneSettings(run=a_run.path, labeled=a_run.annotations, annotated_slices=table)
    a_run.begin_finetune(asked, data="")

    assert _export(a_run, tmp_path / "out") == 0

    labels = _array(tmp_path / "out" / "Dataset100_my_run" / "labelsTr" / "whole.nii.gz")
    assert sorted(set(np.flatnonzero((labels != 3).any((1, 2))))) == [0, 4]
    assert [path.name for path in (tmp_path / "out" / "Dataset100_my_run" / "labelsTr").iterdir()] == [
        "whole.nii.gz"
    ]


def test_one_case_that_cannot_be_used_costs_that_case(a_run, tmp_path, capsys):
    (a_run.annotations / "labels" / "sparse.seg.nrrd").write_bytes(b"NRRD0004\nno header")

    assert _export(a_run, tmp_path / "out") == 0

    folder = tmp_path / "out" / "Dataset100_my_run"
    assert json.loads((folder / "dataset.json").read_text(encoding="utf-8"))["numTraining"] == 1
    assert [path.name for path in (folder / "imagesTr").iterdir()] == ["whole_0000.nii.gz"]
    assert "ignore" not in json.loads((folder / "dataset.json").read_text(encoding="utf-8"))["labels"]
    assert "sparse is left out" in capsys.readouterr().err


def test_a_case_with_other_channels_is_left_out(a_run, tmp_path, a_volume, capsys):
    two = Volume(np.concatenate([a_volume.array, a_volume.array]), a_volume.geometry)
    write_image(a_run.annotations / "images" / "whole.nrrd", two, overwrite=True)

    assert _export(a_run, tmp_path / "out") == 0

    folder = tmp_path / "out" / "Dataset100_my_run"
    assert sorted(path.name for path in (folder / "imagesTr").iterdir()) == ["sparse_0000.nii.gz"]
    assert "whole is left out" in (said := capsys.readouterr().err)
    assert "has 2 channels, the cases before have 1" in said


def test_a_second_export_gets_the_next_number_and_files_are_never_replaced(a_run, tmp_path, capsys):
    assert _export(a_run, tmp_path) == 0
    assert _export(a_run, tmp_path) == 0
    assert (tmp_path / "Dataset101_my_run").is_dir()

    assert _export(a_run, tmp_path / "Dataset101_my_run") == 1

    assert "There are files in" in capsys.readouterr().err


def test_a_run_without_annotations_is_a_sentence(tmp_path, capsys):
    run = RunFolder(tmp_path / "run")
    run.create()
    run.settings.write_text("{}", encoding="utf-8")

    assert _export(run, tmp_path / "out") == 1

    assert "Nothing is annotated in" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_segment_called_ignore_becomes_that_of_nnunet(a_run, tmp_path, a_label_map):
    file = a_run.annotations / "labels" / "whole.seg.nrrd"
    table = LabelTable((Structure(3, "liver", (1, 0, 0)), Structure(7, "Ignore", (0, 1, 0))))
    write_labels(file, read_labels(file).volume, table, overwrite=True)
    (a_run.annotations / "labels" / "sparse.seg.nrrd").unlink()

    assert _export(a_run, tmp_path / "Dataset123_Liver") == 0

    facts = json.loads((tmp_path / "Dataset123_Liver" / "dataset.json").read_text(encoding="utf-8"))
    assert facts["labels"] == {"background": 0, "liver": 1, "ignore": 2}
    written = _array(tmp_path / "Dataset123_Liver" / "labelsTr" / "whole.nii.gz")
    np.testing.assert_array_equal(written, np.minimum(a_label_map.array, 2))
