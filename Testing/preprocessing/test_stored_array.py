"""Arrays on disk behave as arrays, and few of their files are open at a time."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from ContrastiveSegLib.imaging.volume import Geometry
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.preprocessing.stored_array import OPEN_AT_ONCE, count_classes, open_array


def saved(path: Path, array: np.ndarray) -> Path:
    np.save(path, array)
    return path


@pytest.fixture
def an_array() -> np.ndarray:
    return np.random.default_rng(0).integers(-1, 3, (4, 5, 6)).astype(np.int16)


def test_whatever_is_asked_of_it_is_answered_as_by_the_array(tmp_path, an_array):
    stored = open_array(saved(tmp_path / "a.npy", an_array))

    assert (stored.shape, stored.dtype, stored.ndim, len(stored)) == ((4, 5, 6), np.int16, 3, 4)
    for asked in (
        lambda a: a,
        lambda a: a[1:3, ..., ::2],
        lambda a: a[2],
        lambda a: np.moveaxis(a, 0, 1),
        lambda a: (a != -1) & (a >= 0),
        lambda a: 1 - a,
        lambda a: a.astype(float).mean((1, 2)),
        lambda a: (a >= 0).any(axis=(1, 2)),
        lambda a: np.array(a, np.float32),
        lambda a: np.asarray(a) + 1,
        lambda a: np.stack(list(a)),
        lambda a: np.maximum(a, 0).ravel(),
        lambda a: np.isin(a, (1, 2)),
        lambda a: np.concatenate([a, a]),
    ):
        np.testing.assert_array_equal(asked(stored), asked(an_array))
    assert not np.asarray(stored).flags.writeable
    assert isinstance(np.asarray(stored).base, np.memmap)


def test_a_file_that_was_written_anew_is_read_anew(tmp_path, an_array):
    path = saved(tmp_path / "a.npy", an_array)
    before = np.array(open_array(path))
    saved(tmp_path / "b.npy", an_array + 1).replace(path)
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000))

    np.testing.assert_array_equal(open_array(path), before + 1)


def test_a_missing_file_is_noticed_at_once(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_array(tmp_path / "a.npy")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts open maps as Linux lists them")
def test_few_of_many_files_are_open(tmp_path, an_array):
    arrays = [open_array(saved(tmp_path / f"{n}.npy", an_array)) for n in range(3 * OPEN_AT_ONCE)]

    sums = [int(np.sum(array)) for array in arrays]

    maps = [line for line in Path("/proc/self/maps").read_text().splitlines() if str(tmp_path) in line]
    assert sums == [int(an_array.sum())] * len(arrays)
    assert 0 < len(maps) <= OPEN_AT_ONCE


def test_classes_that_were_counted_are_not_counted_again(tmp_path, an_array):
    an_array[2] = -1
    geometry = Geometry((6, 5, 4))
    plain = PreparedCase("a", "a", an_array[None], an_array, geometry, geometry)
    wrong = open_array(saved(tmp_path / "a.npy", an_array), [[7]] * 4)
    counted = PreparedCase("a", "a", an_array[None], wrong, geometry, geometry)

    assert plain.classes_of_slices() == count_classes(an_array)
    assert plain.classes_of_slices()[2] == [-1]
    assert plain.classes_of_slices()[0] == sorted(set(an_array[0].ravel().tolist()))
    assert counted.classes_of_slices() == [[7]] * 4
