"""An array on disk that is opened when it is used, so that thousands of cases need few open files."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin

# Each memory map holds its file open, and macOS allows a process 256 of them.
OPEN_AT_ONCE = 64


class StoredArray(NDArrayOperatorsMixin):
    """Stands for the array of a .npy file: whatever is asked of it is asked of a memory map.

    Only the maps that were used last stay open. Whoever keeps a part of one keeps its file open.

    Args:
        classes_of_slices: Of labels (K, H, W), the class indices in each slice, where they were counted when
            the file was written.
    """

    def __init__(self, path: Path, classes_of_slices: Sequence[Sequence[int]] | None = None) -> None:
        self._key = _key(path)
        self.classes_of_slices = classes_of_slices
        array = _opened(*self._key)
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        array = _opened(*self._key)
        return np.array(array, dtype) if copy else np.asarray(array, dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **how: Any) -> Any:
        opened = (np.asarray(one) if isinstance(one, StoredArray) else one for one in inputs)
        return getattr(ufunc, method)(*opened, **how)

    def __getitem__(self, place: Any) -> Any:
        return _opened(*self._key)[place]

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getattr__(self, name: str) -> Any:
        # numpy asks arrays for protocols by such names; this one has what it needs.
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(_opened(*self._key), name)


def open_array(path: Path, classes_of_slices: Sequence[Sequence[int]] | None = None) -> npt.NDArray[Any]:
    """The array of a .npy file, opened whenever it is used.

    Raises:
        OSError, ValueError: There is no such file, or it holds no array.
    """
    return cast("npt.NDArray[Any]", StoredArray(path, classes_of_slices))


def opened(path: Path) -> npt.NDArray[Any]:
    """The memory map of a .npy file, which stays open for those who ask for it next.

    Raises:
        OSError, ValueError: There is no such file, or it holds no array.
    """
    return _opened(*_key(path))


def close_arrays() -> None:
    """Close the files that are open only because somebody may ask for them next."""
    _opened.cache_clear()


def count_classes(labels: npt.NDArray[Any]) -> list[list[int]]:
    """The class indices in each slice of labels (K, H, W)."""
    return [np.unique(plane).tolist() for plane in labels]


def _key(path: Path) -> tuple[str, int, int, int]:
    stat = path.stat()
    return str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns


@functools.lru_cache(maxsize=OPEN_AT_ONCE)
def _opened(path: str, _file: int, _size: int, _written_ns: int) -> npt.NDArray[Any]:
    """A memory map; a file that was written anew is another one."""
    array: npt.NDArray[Any] = np.load(path, mmap_mode="r")
    return array
