"""Volumes and what describes them as JSON and raw arrays, and back: what crosses from process to process."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

# Only classes and functions of these packages cross the border.
PACKAGES = ("ContrastiveSegLib.imaging.", "ContrastiveSegLib.file_io.")


def pack(value: Any, arrays: list[npt.NDArray[Any]]) -> Any:
    """A value as JSON can write it; arrays are put into the list and stand there by their number.

    Raises:
        TypeError: A value that nobody expected here.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, np.ndarray):
        arrays.append(np.ascontiguousarray(value))
        return {"array": len(arrays) - 1}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (tuple, list)):
        return {type(value).__name__: [pack(item, arrays) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[pack(key, arrays), pack(item, arrays)] for key, item in value.items()]}
    if dataclasses.is_dataclass(value) and type(value).__module__.startswith(PACKAGES):
        fields = {f.name: pack(getattr(value, f.name), arrays) for f in dataclasses.fields(value)}
        return {"class": f"{type(value).__module__}:{type(value).__name__}", "fields": fields}
    raise TypeError(f"{type(value).__name__} cannot leave its process")


def unpack(packed: Any, arrays: Sequence[npt.NDArray[Any]]) -> Any:
    """The value again. Only dataclasses of these packages are built, whatever is asked for.

    Raises:
        ValueError, KeyError, TypeError, AttributeError, ImportError: It was not packed here.
    """
    if not isinstance(packed, dict):
        return packed
    if "path" in packed:
        return Path(packed["path"])
    if "array" in packed:
        return arrays[packed["array"]]
    if "tuple" in packed:
        return tuple(unpack(item, arrays) for item in packed["tuple"])
    if "list" in packed:
        return [unpack(item, arrays) for item in packed["list"]]
    if "dict" in packed:
        return {unpack(key, arrays): unpack(item, arrays) for key, item in packed["dict"]}
    fields = {name: unpack(item, arrays) for name, item in packed["fields"].items()}
    return _class(packed["class"])(**fields)


def member(name: str) -> Any:
    """What "module:name" stands for.

    Raises:
        ValueError: It lies elsewhere.
    """
    module, _, attribute = name.partition(":")
    if not module.startswith(PACKAGES):
        raise ValueError(f"{name} is not of these packages")
    return getattr(importlib.import_module(module), attribute)


def _class(name: str) -> Any:
    found = member(name)
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        raise ValueError(f"{name} is no dataclass")
    return found
