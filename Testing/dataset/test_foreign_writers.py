"""What other programs write is read with the same voxels, names and places: they do the writing."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.dataset.annotations import read_annotation
from ContrastiveSegLib.dataset.cases import Case, find_cases
from ContrastiveSegLib.dataset.foreign_folders import NOT_CORRECTED
from ContrastiveSegLib.dataset.structure_folders import KNOWN
from ContrastiveSegLib.file_io.files import read_geometry, read_image
from ContrastiveSegLib.file_io.label_meanings import ReadLabels
from ContrastiveSegLib.imaging.alignment import labels_on_grid
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.imaging.volume import Volume
from Testing.exporting.foreign import FOREIGN, needs_foreign

pytestmark = needs_foreign
WRITERS = Path(__file__).parent / "foreign_writers"


def _let_write(program: str, *arguments: Path | str) -> None:
    """Run a few lines in `foreign_writers` that let another program write."""
    command = [FOREIGN, "-W", "ignore", WRITERS / program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture
def drawn(tmp_path, an_oblique_volume) -> np.ndarray:
    """Which labels (K, H, W) the programs shall write, in a file where they find them."""
    labels = np.zeros(an_oblique_volume.array.shape[1:], np.uint8)
    labels[1:4, 2:6], labels[2, 3:5, 1:3], labels[5:] = 1, 2, 3
    np.save(tmp_path / "drawn.npy", labels)
    return labels


def _write_scan(path: Path, image: Volume) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image.to_sitk(), str(path))
    return path


def _read(case: Case, table: LabelTable | None = None) -> tuple[ReadLabels, np.ndarray]:
    """What the labels of a case say, and which voxels (K, H, W) of its image they lie on."""
    assert case.labels is not None
    read = read_annotation(case.labels, case, table)
    placed = labels_on_grid(read.volume, read_geometry(case.images), name=case.name)
    return read, placed.volume.array


def test_contours_of_rt_utils_fill_the_voxels_that_they_were_drawn_around(tmp_path):
    pytest.importorskip("highdicom", reason="highdicom, of the extra [dicom], is not installed")
    from Testing.file_io.test_dicom_segmentation import SHAPE, write_series  # needs it, too

    write_series(tmp_path / "data" / "exam", height=1.25)  # rt-utils 1.2 mixes up sides of pixels
    ring, thin = np.zeros((2, *SHAPE), bool)
    ring[1:4, 1:6, :5] = True
    ring[2, 3, 2] = False
    thin[3, 6, 5] = thin[4, 0, 1:4] = True
    np.savez(tmp_path / "masks.npz", **{"Liver, left": ring, "GTV": thin})

    _let_write(
        "with_rt_utils.py", tmp_path / "data" / "exam", tmp_path / "masks.npz", tmp_path / "data" / "plan"
    )

    (case,) = find_cases(tmp_path / "data").cases
    read, labels = _read(case)
    np.testing.assert_array_equal(labels, ring + 2 * thin)
    assert read.table.names == ("Liver, left", "GTV")
    assert read.table.structures[0].color == pytest.approx((221 / 255, 130 / 255, 101 / 255))
    assert read.notes == ()


@pytest.mark.parametrize(("task", "count"), [("total", 117), ("total_mr", 50)])
def test_structures_of_totalsegmentator_are_those_that_it_wrote(
    tmp_path, an_oblique_volume, drawn, task, count
):
    scan = _write_scan(tmp_path / "s0001" / "ct.nii.gz", an_oblique_volume)

    _let_write("with_totalsegmentator.py", scan, tmp_path / "drawn.npy", tmp_path / "names.json", task)

    (case,) = find_cases(scan.parent).cases
    read, labels = _read(case)
    names = json.loads((tmp_path / "names.json").read_text(encoding="utf-8"))
    assert (len(names), names["1"]) == (count, "spleen")
    assert sorted(read.table.names) == sorted(names.values())
    assert [name for name in read.table.names if not KNOWN.fullmatch(name)] == []
    for value in (1, 2, 3):
        here = next(one.value for one in read.table.structures if one.name == names[str(value)])
        np.testing.assert_array_equal(labels == here, drawn == value)


def test_a_label_that_monai_label_saved_has_its_voxels_and_names(tmp_path, an_oblique_volume, drawn):
    for name in ("scan_a", "scan_b"):
        _write_scan(tmp_path / "store" / f"{name}.nii.gz", an_oblique_volume)

    _let_write("with_monai_label.py", tmp_path / "store", tmp_path / "drawn.npy")

    found = find_cases(tmp_path / "store")
    cases = {case.name: case for case in found.cases}
    assert (list(cases), cases["scan_b"].labels) == (["scan_a", "scan_b"], None)
    assert [out.reason for out in found.left_out] == [NOT_CORRECTED]
    read, labels = _read(cases["scan_a"])
    np.testing.assert_array_equal(labels, drawn)
    assert read.table.names == ("spleen", "liver", "left kidney")


def test_a_derivative_of_ancpbids_that_the_validator_accepts_is_read(tmp_path, an_oblique_volume, drawn):
    study = tmp_path / "study"
    _write_scan(study / "sub-01" / "anat" / "sub-01_T1w.nii.gz", an_oblique_volume)
    (study / "dataset_description.json").write_text('{"Name": "study", "BIDSVersion": "1.10.0"}')

    _let_write("with_ancpbids.py", study, tmp_path / "drawn.npy")

    words = [FOREIGN.parent / "bids-validator-deno", "--json", study / "derivatives" / "manual"]
    said = json.loads(subprocess.run(words, capture_output=True, text=True, check=False).stdout)
    assert [one for one in said["issues"]["issues"] if one["severity"] == "error"] == []
    assert said["summary"]["subjects"] == ["01"]
    found = find_cases(study)
    assert found.left_out == ()
    read, labels = _read(found.cases[0])
    np.testing.assert_array_equal(labels, drawn)
    assert read.table.names == ("Gray Matter", "White Matter", "Fluid")
    assert read.table.structures[2].color == (0.0, 0.0, 1.0)


@pytest.mark.usefixtures("drawn")
def test_regions_channels_and_ignore_are_what_nnunet_takes_them_for(tmp_path, an_oblique_volume):
    folder = tmp_path / "Dataset001_Tumor"
    _write_scan(folder / "imagesTr" / "one_0000.nrrd", an_oblique_volume)

    _let_write("with_nnunet.py", folder, tmp_path / "drawn.npy", tmp_path / "understood.npz")

    found = find_cases(folder)
    (case,) = found.cases
    assert (found.layout, found.ignored, len(case.images)) == ("nnU-Net", 3, 2)
    understood = np.load(tmp_path / "understood.npz")
    image = read_image(case.images).volume
    np.testing.assert_array_equal(image.array, understood["images"])
    np.testing.assert_allclose(image.geometry.spacing[::-1], understood["spacing"])
    read, labels = _read(case, found.table)
    assert read.table.names == ("rest of whole", "core")
    np.testing.assert_array_equal(labels > 0, understood["whole"])
    np.testing.assert_array_equal(labels == 2, understood["core"])
    np.testing.assert_array_equal(read.unknown, understood["ignore"])
