"""Phantoms repeat, keep their anatomy on every grid, and are written as people store their data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.errors import CannotWrite
from ContrastiveSegLib.file_io.files import read_image, read_labels
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.phantoms.anatomy import CAVITY, KIDNEYS, LIVER, PANCREAS, WALL
from ContrastiveSegLib.phantoms.phantom import (
    PhantomCounts,
    make_phantom_case,
    phantom_table,
    write_phantom_folder,
)

SMALL = (16, 40, 40)


def centers_mm(labels: Volume) -> dict[int, np.ndarray]:
    """The middle of each structure in patient space."""
    return {
        value: labels.geometry.index_to_physical(np.argwhere(labels.array == value)[:, ::-1]).mean(axis=0)
        for value in phantom_table().values
    }


def test_a_seed_repeats_every_voxel_and_another_seed_does_not() -> None:
    image, labels = make_phantom_case(3, shape=SMALL)
    again, labels_again = make_phantom_case(3, shape=SMALL)
    other, _ = make_phantom_case(4, shape=SMALL)

    np.testing.assert_array_equal(image.array, again.array)
    np.testing.assert_array_equal(labels.array, labels_again.array)
    assert image.geometry == again.geometry == labels.geometry
    assert not np.array_equal(image.array, other.array)


@pytest.mark.parametrize("shape", [SMALL, (8, 32, 32)])
@pytest.mark.parametrize("seed", range(6))
def test_every_phantom_has_every_structure(seed: int, shape: tuple[int, int, int]) -> None:
    image, labels = make_phantom_case(seed, shape=shape)

    assert image.array.shape == (1, *shape)
    assert (image.array.dtype.name, labels.array.dtype.name) == ("float32", "int16")
    assert np.isfinite(image.array).all()
    assert set(np.unique(labels.array)) == {0, *phantom_table().values}


@pytest.mark.parametrize(
    "grid",
    [
        {"flipped": (True, True, False)},
        {"flipped": (True, False, True)},
        {"tilt_deg": 25.0},
        {"spacing": (2.2, 3.1, 5.0), "shape": (28, 64, 90)},
    ],
    ids=str,
)
def test_another_grid_shows_the_same_organs_at_the_same_places(grid: dict[str, object]) -> None:
    roomy = {"spacing": (3.5, 3.5, 4.0), "shape": (36, 56, 56)}  # so that a tilt cuts no organ off
    _, usual = make_phantom_case(5, **roomy)  # type: ignore[arg-type]

    _, other = make_phantom_case(5, **(roomy | grid))  # type: ignore[arg-type]

    expected, found = centers_mm(usual), centers_mm(other)
    for value, center in expected.items():
        assert np.linalg.norm(found[value] - center) < 1.5, phantom_table().by_value(value).name


def test_organs_lie_where_a_body_has_them() -> None:
    for seed in range(4):
        _, labels = make_phantom_case(seed, shape=SMALL)
        centers = centers_mm(labels)

        assert centers[LIVER][0] < centers[CAVITY][0], "the liver lies to the right (LPS: smaller x)"
        assert centers[KIDNEYS][1] > centers[PANCREAS][1], "the kidneys lie behind the pancreas"
        assert centers[WALL][2] > centers[LIVER][2] > centers[KIDNEYS][2], "heart above liver above kidneys"


def test_a_structure_has_similar_slice_positions_in_every_body() -> None:
    heights = []
    for seed in range(6):
        _, labels = make_phantom_case(seed, shape=SMALL)
        heights.append(
            [np.argwhere(labels.array == v)[:, 0].mean() / SMALL[0] for v in (LIVER, WALL, KIDNEYS)]
        )

    assert np.std(heights, axis=0).max() < 0.1


def test_the_wall_surrounds_the_cavity_and_the_kidneys_are_two() -> None:
    _, labels = make_phantom_case(2)
    around = ndimage.binary_dilation(labels.array == CAVITY) & (labels.array != CAVITY)

    pieces, _ = ndimage.label(labels.array == KIDNEYS)
    sizes = np.bincount(pieces.ravel())[1:]

    assert np.mean(labels.array[around] == WALL) > 0.6  # the rest is the opening towards the atrium
    assert np.count_nonzero(sizes > 0.1 * sizes.sum()) == 2


def test_neighbors_are_similar_but_their_order_of_brightness_stays() -> None:
    for seed in range(6):
        image, labels = make_phantom_case(seed, shape=(24, 56, 56))
        liver, wall, cavity = (
            np.median(image.array[0][ndimage.binary_erosion(labels.array == v)])
            for v in (LIVER, WALL, CAVITY)
        )

        assert 0.7 * cavity < liver < 1.02 * cavity
        assert wall < cavity


def test_a_second_channel_shows_the_same_body_in_another_contrast() -> None:
    image, labels = make_phantom_case(1, shape=SMALL, channels=3)

    wall, cavity = (np.median(image.array[:, labels.array == value], axis=1) for value in (WALL, CAVITY))

    assert list(wall < cavity) == [True, False, True]


def test_a_folder_of_phantoms_is_found_and_read_back_as_it_was_made(tmp_path: Path) -> None:
    write_phantom_folder(tmp_path, PhantomCounts(unlabeled=2, labeled=2, test=1), seed=7, shape=SMALL)

    found = {part: find_cases(tmp_path / part) for part in ("unlabeled", "labeled", "test")}

    assert {part: len(cases.cases) for part, cases in found.items()} == {
        "unlabeled": 2,
        "labeled": 2,
        "test": 1,
    }
    assert not any(cases.left_out for cases in found.values())
    assert not any(case.labels for case in found["unlabeled"].cases)
    names = [case.name for cases in found.values() for case in cases.cases]
    assert len(set(names)) == 5
    for case in (*found["labeled"].cases, *found["test"].cases):
        assert case.labels is not None
        image, labels = read_image(case.images), read_labels(case.labels)
        assert labels.table.names == phantom_table().names
        assert labels.volume.geometry.matches(image.volume.geometry)
        assert set(np.unique(labels.volume.array)) == {0, *phantom_table().values}


def test_a_folder_repeats_with_its_seed_and_more_unlabeled_cases_change_no_other(tmp_path: Path) -> None:
    write_phantom_folder(tmp_path / "a", PhantomCounts(unlabeled=1, labeled=1, test=1), seed=7, shape=SMALL)
    write_phantom_folder(tmp_path / "b", PhantomCounts(unlabeled=3, labeled=1, test=1), seed=7, shape=SMALL)

    for path in sorted((tmp_path / "a").rglob("*.nii.gz")):
        first = read_image([path]).volume
        second = read_image([tmp_path / "b" / path.relative_to(tmp_path / "a")]).volume
        np.testing.assert_array_equal(first.array, second.array)
        assert first.geometry == second.geometry


def test_grids_of_a_folder_differ_in_spacing_tilt_and_orientation(tmp_path: Path) -> None:
    write_phantom_folder(tmp_path, PhantomCounts(unlabeled=8, labeled=0, test=0), seed=2, shape=(8, 16, 16))

    geometries = [read_image(case.images).volume.geometry for case in find_cases(tmp_path).cases]

    directions = np.array([geometry.direction for geometry in geometries]).reshape(-1, 3, 3)
    assert len({geometry.spacing for geometry in geometries}) == 8
    assert (directions[:, 0, 0] < 0).any(), "some rows run against the others"
    oblique = np.abs(directions).max(axis=1).min(axis=1) < 0.999
    assert 0 < oblique.sum() < 8


def test_what_is_there_is_replaced_only_if_that_is_asked(tmp_path: Path) -> None:
    write_phantom_folder(tmp_path, PhantomCounts(unlabeled=1, labeled=0, test=0), seed=1, shape=(4, 8, 8))

    with pytest.raises(CannotWrite, match="exists"):
        write_phantom_folder(tmp_path, PhantomCounts(unlabeled=1, labeled=0, test=0), seed=2, shape=(4, 8, 8))
    write_phantom_folder(
        tmp_path, PhantomCounts(unlabeled=1, labeled=0, test=0), seed=2, shape=(4, 8, 8), overwrite=True
    )

    assert len(find_cases(tmp_path).cases) == 1
