"""Rings become filled outlines, boxes stay within the slice."""

from __future__ import annotations

import numpy as np

from ContrastiveSegLib.propagation.filled_contours import components_of, contours_in

SHAPE = (40, 50)


def disk(center: tuple[int, int], radius: float) -> np.ndarray:
    rows, columns = np.indices(SHAPE)
    inside: np.ndarray = (rows - center[0]) ** 2 + (columns - center[1]) ** 2 <= radius**2
    return inside


def heart() -> np.ndarray:
    """A wall (2) around a chamber (3), and another chamber (1) beside it."""
    labels = np.zeros(SHAPE, int)
    labels[disk((20, 25), 12)] = 2
    labels[disk((20, 25), 7)] = 3
    labels[disk((20, 6), 5)] = 1
    return labels


def test_a_wall_is_asked_for_with_what_it_surrounds() -> None:
    labels = heart()

    contours = {contour.value: contour for contour in contours_in(labels)}

    assert contours[2].inside == (3,)
    np.testing.assert_array_equal(contours[2].outline, labels >= 2)
    np.testing.assert_array_equal(contours[3].outline, labels == 3)
    assert not contours[3].is_nested
    assert not contours[1].is_nested


def test_a_wall_that_is_open_on_one_side_still_surrounds_its_chamber() -> None:
    labels = heart()
    labels[18:22, 33:38] = 0

    contours = {contour.value: contour for contour in contours_in(labels)}

    assert contours[2].inside == (3,)


def test_walls_come_before_what_they_surround() -> None:
    assert [contour.value for contour in contours_in(heart())].index(2) == 0


def test_a_hole_without_a_name_is_a_contour_of_its_own() -> None:
    labels = heart()
    labels[labels == 3] = 0

    contours = {contour.value: contour for contour in contours_in(labels)}

    assert contours[2].inside == (-2,)
    np.testing.assert_array_equal(contours[-2].outline, disk((20, 25), 7))


def test_a_pinhole_is_a_flaw_and_not_the_inside_of_a_wall() -> None:
    labels = np.where(disk((20, 25), 12), 2, 0)
    labels[20, 25] = 0

    (contour,) = contours_in(labels)

    assert not contour.is_nested


def test_two_structures_side_by_side_surround_nothing() -> None:
    labels = np.zeros(SHAPE, int)
    labels[10:30, 5:25], labels[10:30, 25:45] = 1, 2

    assert not any(contour.is_nested for contour in contours_in(labels))


def test_components_touch_at_a_corner_and_the_largest_comes_first() -> None:
    mask = np.zeros((6, 6), bool)
    mask[0, 0] = mask[3:5, 3:5] = mask[5, 5] = True

    sizes = [int(piece.sum()) for piece in components_of(mask)]

    assert sizes == [5, 1]
