"""Volume and Geometry: every voxel keeps its place in the patient."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.imaging.volume import Geometry, Volume


def rotation(*, degrees: float, axis: int) -> tuple[float, ...]:
    turn = sitk.VersorTransform(tuple(float(n == axis) for n in range(3)), float(np.radians(degrees)))
    return turn.GetMatrix()


GRIDS = {
    "plain": Geometry((4, 5, 6)),
    "anisotropic": Geometry((4, 5, 6), (0.7, 1.3, 5.0), (-12.5, 30.25, 7.0)),
    "flipped": Geometry((4, 5, 6), (1.0, 2.0, 3.0), (9.0, 8.0, 7.0), (-1, 0, 0, 0, 1, 0, 0, 0, -1)),
    "permuted": Geometry((4, 5, 6), (1.0, 2.0, 3.0), (1.0, 2.0, 3.0), (0, 0, 1, 1, 0, 0, 0, 1, 0)),
    "oblique": Geometry((4, 5, 6), (0.5, 0.9, 3.0), (4.0, -8.0, 100.0), rotation(degrees=25, axis=1)),
}


@pytest.fixture(params=GRIDS.values(), ids=GRIDS.keys())
def a_grid(request) -> Geometry:
    return request.param


def image_on(grid: Geometry) -> sitk.Image:
    image = sitk.Image(grid.size, sitk.sitkInt16)
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.origin)
    image.SetDirection(grid.direction)
    return image


def test_indices_become_the_places_that_simpleitk_gives_them(a_grid):
    image = image_on(a_grid)
    indices = list(itertools.product(*(range(n) for n in a_grid.size)))

    places = a_grid.index_to_physical(indices)

    expected = [image.TransformIndexToPhysicalPoint(index) for index in indices]
    np.testing.assert_allclose(places, expected, atol=1e-9)


def test_corners_lie_half_a_voxel_beyond_the_outermost_centers(a_grid):
    image = image_on(a_grid)

    corners = a_grid.corners()

    ends = itertools.product(*((-0.5, n - 0.5) for n in a_grid.size))
    expected = [image.TransformContinuousIndexToPhysicalPoint(end) for end in ends]
    np.testing.assert_allclose(corners, expected, atol=1e-9)


def test_geometry_survives_simpleitk(a_grid):
    assert Geometry.of(image_on(a_grid)) == a_grid
    assert a_grid.shape == (6, 5, 4)
    assert a_grid.spacing_khw == a_grid.spacing[::-1]


def test_a_fourth_axis_does_not_belong_to_the_geometry():
    image = sitk.JoinSeries([image_on(GRIDS["oblique"])] * 3)

    assert Geometry.of(image).matches(GRIDS["oblique"])


@pytest.mark.parametrize(("shift_in_voxels", "same"), [(0.0, True), (0.0005, True), (0.01, False)])
def test_grids_match_up_to_a_thousandth_of_a_voxel(a_grid, shift_in_voxels, same):
    shift = shift_in_voxels * min(a_grid.spacing)
    x, y, z = a_grid.origin
    moved = Geometry(a_grid.size, a_grid.spacing, (x + shift, y, z), a_grid.direction)

    assert a_grid.matches(moved) is same


def test_grids_of_another_size_spacing_or_direction_do_not_match():
    plain = GRIDS["plain"]

    assert not plain.matches(Geometry((4, 5, 7)))
    assert not plain.matches(Geometry((4, 5, 6), (1.0, 1.0, 1.1)))
    assert not plain.matches(Geometry((4, 5, 6), direction=(1, 0, 0, 0, 1, 0, 0, 0, -1)))


def test_boxes_that_only_touch_do_not_overlap():
    left, right = Geometry((4, 4, 4)), Geometry((4, 4, 4), origin=(4.0, 0.0, 0.0))

    assert not left.overlaps(right)
    assert left.overlaps(Geometry((4, 4, 4), origin=(3.9, 0.0, 0.0)))


def test_a_small_box_within_a_large_one_overlaps_it():
    large, small = Geometry((50, 50, 50)), Geometry((2, 2, 2), (0.5, 0.5, 0.5), (25.0, 25.0, 25.0))

    assert large.overlaps(small)
    assert small.overlaps(large)


def test_overlap_agrees_with_looking_at_many_points():
    generator = np.random.default_rng(0)
    answers = []
    for _ in range(60):
        one, other = (random_box(generator) for _ in range(2))
        if not near_the_limit(one, other):
            answers.append((one.overlaps(other), some_point_is_in_both(one, other)))

    assert {answer for answer, _ in answers} == {True, False}
    assert all(answer == expected for answer, expected in answers)


def random_box(generator: np.random.Generator) -> Geometry:
    turn = rotation(degrees=generator.uniform(0, 90), axis=int(generator.integers(3)))
    return Geometry((8, 6, 4), (1.0, 1.5, 3.0), tuple(generator.uniform(-9, 9, 3)), turn)


def near_the_limit(one: Geometry, other: Geometry) -> bool:
    """Whether shrinking both boxes changes the answer: there, a grid of points may miss the overlap."""
    return shrunk(one).overlaps(shrunk(other)) != one.overlaps(other)


def shrunk(box: Geometry) -> Geometry:
    smaller = Geometry(box.size, tuple(0.8 * s for s in box.spacing), box.origin, box.direction)
    off_center = box.corners().mean(axis=0) - smaller.corners().mean(axis=0)
    return Geometry(box.size, smaller.spacing, tuple(np.add(box.origin, off_center)), box.direction)


def some_point_is_in_both(one: Geometry, other: Geometry) -> bool:
    steps = [np.linspace(-0.5, n - 0.5, 25) for n in one.size]
    points = one.index_to_physical(np.stack(np.meshgrid(*steps, indexing="ij"), -1).reshape(-1, 3))
    axes = np.reshape(other.direction, (3, 3)).T
    indices = (points - other.origin) @ axes.T / other.spacing
    return bool(((indices > -0.5) & (indices < np.array(other.size) - 0.5)).all(1).any())


def test_description_names_size_spacing_place_and_orientation():
    assert GRIDS["anisotropic"].describe() == (
        "4 x 5 x 6 voxels of 0.7 x 1.3 x 5 mm, first voxel at (-12.5, 30.2, 7.0) mm, axes LPS"
    )
    assert GRIDS["flipped"].describe().endswith("axes RPI")
    assert GRIDS["oblique"].describe().endswith("axes LPS, oblique")


@pytest.mark.parametrize("shape", [(6, 5, 4), (3, 6, 5, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_volumes_survive_simpleitk_bit_by_bit(a_grid, shape, dtype):
    array = np.random.default_rng(1).integers(0, 200, shape).astype(dtype)

    back = Volume.from_sitk(Volume(array, a_grid).to_sitk())

    assert back.array.dtype == dtype
    np.testing.assert_array_equal(back.array, array)
    assert back.geometry == a_grid


def test_a_single_channel_becomes_a_scalar_image():
    array = np.arange(120, dtype=np.int16).reshape(1, 6, 5, 4)

    image = Volume(array, GRIDS["plain"]).to_sitk()

    assert image.GetNumberOfComponentsPerPixel() == 1
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), array[0])


def test_an_array_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"array of shape \(4, 5, 6\) on a grid of shape \(6, 5, 4\)"):
        Volume(np.zeros((4, 5, 6)), GRIDS["plain"])
