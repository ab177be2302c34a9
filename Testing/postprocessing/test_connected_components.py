"""Connected pieces, against maps drawn by hand."""

from __future__ import annotations

import tracemalloc

import numpy as np
from scipy import ndimage

from ContrastiveSegLib.postprocessing.connected_components import keep_largest, single_components


def _map(*rows: str) -> np.ndarray:
    return np.array([[[int(letter) for letter in row] for row in rows]])


def test_a_structure_of_two_components_in_any_map_is_not_single() -> None:
    whole = _map("1102", "0002")
    parted = _map("1010", "0022")

    assert single_components([whole], (1, 2)) == ((1,), (2,))
    assert single_components([whole, parted], (1, 2)) == ((2,),)


def test_components_that_touch_at_a_corner_are_one() -> None:
    assert single_components([_map("10", "01")], (1,)) == ((1,),)
    assert single_components([_map("100", "001")], (1,)) == ()


def test_a_structure_that_no_map_shows_is_not_said_to_be_single() -> None:
    assert single_components([_map("00")], (1,)) == ()


def test_a_few_voxels_beside_a_large_component_do_not_count() -> None:
    labels = np.ones((1, 20, 20), int)
    labels[0, 18:, 18:] = 0
    labels[0, 19, 19] = 1

    assert single_components([labels], (1,)) == ((1,),)


def test_the_largest_component_stays_and_other_structures_are_untouched() -> None:
    labels = _map("11022", "10001", "00201")

    kept = keep_largest(labels, [(1,)])

    np.testing.assert_array_equal(kept, _map("11022", "10000", "00200"))
    np.testing.assert_array_equal(labels, _map("11022", "10001", "00201"))


def test_structures_that_always_touch_are_one_component_together() -> None:
    touching, apart = _map("1122", "0000"), _map("1102", "0000")

    assert single_components([touching, touching], (1, 2)) == ((1, 2), (1,), (2,))
    assert single_components([touching, apart], (1, 2)) == ((1,), (2,))


def test_what_is_far_from_all_goes_first_however_large_it_is() -> None:
    labels = _map("0111000", "0222201", "0000001", "0000001", "0000001")

    assert keep_largest(labels, [(1,), (2,)])[0, 0, 1] == 0
    kept = keep_largest(labels, [(1, 2), (1,), (2,)])

    np.testing.assert_array_equal(kept, _map("0111000", "0222200", "0000000", "0000000", "0000000"))


def test_components_connect_across_slices() -> None:
    labels = np.zeros((3, 2, 4), int)
    labels[:, 0, 0] = 1
    labels[0, 1, 2:] = 1

    kept = keep_largest(labels, [(1,)])

    assert kept[:, 0, 0].tolist() == [1, 1, 1]
    assert not kept[0, 1, 2:].any()


def test_within_boxes_the_same_is_kept_as_in_the_whole_volume() -> None:
    labels = np.random.default_rng(0).choice(5, (9, 20, 20), p=[0.8, 0.05, 0.05, 0.05, 0.05]).astype(np.int16)
    labels[2:5, 3:9, 4:9] = 2
    groups = [(1, 2, 3), (7,), (2,), (4,), (1, 9)]

    expected = labels.copy()
    for group in groups:
        pieces, _ = ndimage.label(np.isin(expected, group), np.ones((3, 3, 3)))
        sizes = np.bincount(pieces.ravel())[1:]
        if len(sizes):
            expected[(pieces > 0) & (pieces != sizes.argmax() + 1)] = 0

    np.testing.assert_array_equal(keep_largest(labels, groups), expected)
    assert not keep_largest(np.zeros_like(labels), groups).any()


def test_components_of_many_structures_take_seven_bytes_per_voxel() -> None:
    labels = np.kron(np.random.default_rng(0).integers(0, 6, (24, 24, 24)), np.ones((2, 4, 4))).astype(
        np.int16
    )
    expected = labels.copy()
    for value in range(1, 6):
        pieces, count = ndimage.label(expected == value, np.ones((3, 3, 3)))
        sizes = [np.count_nonzero(pieces == number) for number in range(1, count + 1)]
        expected[(pieces > 0) & (pieces != 1 + int(np.argmax(sizes)))] = 0

    tracemalloc.start()
    kept = keep_largest(labels, [(value,) for value in range(1, 6)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    np.testing.assert_array_equal(kept, expected)
    assert peak < 8 * labels.size  # the copy, where the structure is, and the numbers of its pieces
