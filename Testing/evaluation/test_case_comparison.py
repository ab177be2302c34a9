"""Two label files of one case: names matched, grids brought together, mistakes refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.evaluation.case_comparison import ComparedCase, compare_case
from ContrastiveSegLib.evaluation.label_pairs import LabelPair
from ContrastiveSegLib.evaluation.metrics import INVENTED, MISSED
from ContrastiveSegLib.file_io.files import write_labels
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Geometry, Volume

# Anisotropic, turned by 30 degrees about k, with i flipped, and away from the origin.
COS, SIN = np.cos(np.pi / 6), 0.5
OBLIQUE = Geometry(
    (12, 10, 6), (1.5, 2.0, 5.0), (-40.0, 25.0, 300.0), (-COS, -SIN, 0.0, -SIN, COS, 0.0, 0.0, 0.0, 1.0)
)
HEART = LabelTable(
    tuple(Structure(n, name, (1, 0, 0)) for n, name in enumerate(("right", "wall", "left"), 1))
)


def blocks(*values: int) -> np.ndarray:
    """Slabs (K, H, W) of these values, side by side along W."""
    array = np.zeros(OBLIQUE.shape, np.int16)
    for n, value in enumerate(values):
        array[1:5, 2:8, 1 + 3 * n : 4 + 3 * n] = value
    return array


def compared(
    folder: Path,
    prediction: tuple[str, np.ndarray, LabelTable],
    truth: tuple[str, np.ndarray, LabelTable],
    *,
    grid: Geometry = OBLIQUE,
) -> ComparedCase:
    """Write both files and compare them; `grid` is that of the prediction."""
    paths = [folder / f"prediction{prediction[0]}", folder / f"truth{truth[0]}"]
    write_labels(paths[0], Volume(prediction[1], grid), prediction[2])
    write_labels(paths[1], Volume(truth[1], OBLIQUE), truth[2])
    return compare_case(LabelPair("case", "patient", *paths))


def dice(case: ComparedCase) -> dict[str, float]:
    return {name: a.dice for name, a in zip(case.common.names, case.metrics, strict=True)}


def test_named_segments_are_matched_by_name_whatever_their_values(tmp_path: Path) -> None:
    other = LabelTable(
        tuple(Structure(v, n, (0, 1, 0)) for v, n in ((7, "Left "), (1, "wall"), (2, "RIGHT")))
    )

    case = compared(tmp_path, (".seg.nrrd", blocks(2, 1, 7), other), (".seg.nrrd", blocks(1, 2, 3), HEART))

    assert dice(case) == {"right": 1.0, "wall": 1.0, "left": 1.0}
    assert case.annotated.names == HEART.names
    assert case.notes == ()


@pytest.mark.parametrize("named", ["prediction", "truth"])
def test_a_file_without_names_takes_those_of_its_partner_by_value(tmp_path: Path, named: str) -> None:
    suffixes = (".seg.nrrd", ".nii.gz") if named == "prediction" else (".nii.gz", ".seg.nrrd")

    case = compared(tmp_path, (suffixes[0], blocks(1, 2, 3), HEART), (suffixes[1], blocks(1, 0, 3), HEART))

    assert dice(case) == {"right": 1.0, "wall": 0.0, "left": 1.0}
    notes = {a.value: a.note for a in case.metrics}
    assert notes == {1: "", 2: INVENTED, 3: ""}


def test_a_value_that_the_partner_does_not_know_is_missed(tmp_path: Path) -> None:
    five = LabelTable((*HEART.structures, Structure(5, "aorta", (1, 1, 0))))

    case = compared(tmp_path, (".seg.nrrd", blocks(1, 2, 3), HEART), (".nii.gz", blocks(1, 2, 5), five))

    assert dice(case)["structure 5"] == 0.0
    assert {a.note for a in case.metrics if a.value == 5} == {MISSED}


def test_distances_and_volumes_are_those_of_the_grid(tmp_path: Path) -> None:
    case = compared(
        tmp_path,
        (".nii.gz", np.roll(blocks(1), 1, axis=0), HEART),
        (".nii.gz", blocks(1), HEART),
    )

    (metrics,) = case.metrics
    assert metrics.hd95_mm == pytest.approx(5.0)
    assert metrics.truth_volume_ml == pytest.approx(4 * 6 * 3 * 1.5 * 2.0 * 5.0 / 1000)


def test_a_prediction_on_another_grid_is_brought_to_that_of_the_label(tmp_path: Path) -> None:
    finer = replace(OBLIQUE, size=(12, 10, 12), spacing=(1.5, 2.0, 2.5), origin=(-40.0, 25.0, 298.75))
    prediction = np.repeat(blocks(1, 2, 3), 2, axis=0)

    case = compared(
        tmp_path, (".seg.nrrd", prediction, HEART), (".seg.nrrd", blocks(1, 2, 3), HEART), grid=finer
    )

    assert dice(case) == {"right": 1.0, "wall": 1.0, "left": 1.0}
    (note,) = case.notes
    assert note.startswith(
        "case: The labels lie on another grid and were resampled: the true label map has 12 x"
    )


def test_as_many_voxels_in_another_place_are_not_compared(tmp_path: Path) -> None:
    lost_header = Geometry(OBLIQUE.size)

    with pytest.raises(BadFile, match=r"lie on another grid|do not lie within its true label map"):
        compared(tmp_path, (".nii.gz", blocks(1), HEART), (".nii.gz", blocks(1), HEART), grid=lost_header)


def test_a_prediction_that_reaches_beyond_its_label_is_cut_and_that_is_said(tmp_path: Path) -> None:
    beyond = replace(OBLIQUE, size=(12, 10, 4), origin=tuple(OBLIQUE.index_to_physical((0, 0, 3)).tolist()))

    case = compared(tmp_path, (".nii.gz", blocks(1)[1:5], HEART), (".nii.gz", blocks(1), HEART), grid=beyond)

    assert case.notes[-1] == "case: 18 of 72 labeled voxels lie outside of the true label map and are lost."


def test_what_the_true_labels_ignore_is_not_compared(tmp_path: Path) -> None:
    truth = blocks(1, 2)
    truth[1:3] = 9
    paths = [tmp_path / "prediction.nii.gz", tmp_path / "truth.nii.gz"]
    for path, array in zip(paths, (blocks(1, 2), truth), strict=True):
        write_labels(path, Volume(array, OBLIQUE), LabelTable.default_for([1, 2, 9]))

    case = compare_case(LabelPair("case", "p", *paths), LabelTable.default_for([1, 2]), ignored=9)

    assert dice(case) == {"structure 1": 1.0, "structure 2": 1.0}
    assert case.notes[-1] == "case: 33.3% of the voxels are to be ignored and were not compared."


def test_an_empty_prediction_misses_everything_and_is_noted(tmp_path: Path) -> None:
    case = compared(tmp_path, (".nii.gz", blocks(), HEART), (".nii.gz", blocks(1, 2), HEART))

    assert [a.note for a in case.metrics] == [MISSED, MISSED]
    assert case.notes == ("case: prediction.nii.gz: all voxels are background.",)


def test_files_that_share_no_space_are_refused(tmp_path: Path) -> None:
    elsewhere = replace(OBLIQUE, origin=(500.0, 25.0, 300.0))

    with pytest.raises(BadFile, match=r"case as predicted do not lie within its true label map: .* has 12 x"):
        compared(tmp_path, (".nii.gz", blocks(1), HEART), (".nii.gz", blocks(1), HEART), grid=elsewhere)


def test_files_with_other_names_altogether_are_refused(tmp_path: Path) -> None:
    organs = LabelTable((Structure(1, "liver", (1, 0, 0)), Structure(2, "spleen", (0, 1, 0))))

    with pytest.raises(
        BadFile, match=r"no structure in common: .* has liver, spleen; .* has right, wall, left"
    ):
        compared(tmp_path, (".seg.nrrd", blocks(1, 2), organs), (".seg.nrrd", blocks(1, 2), HEART))


def test_an_image_among_the_labels_is_recognized(tmp_path: Path) -> None:
    gray = np.random.default_rng(0).integers(1, 200, OBLIQUE.shape).astype(np.int16)

    with pytest.raises(BadFile, match=r"different values .* looks like an image, not like labels"):
        compared(
            tmp_path,
            (".seg.nrrd", blocks(1), HEART),
            (".nii.gz", gray, LabelTable.default_for(range(1, 201))),
        )
