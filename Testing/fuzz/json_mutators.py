"""Damage JSON value by value: extremes, other kinds, names that are gone, new or very long."""

from __future__ import annotations

import json
from typing import Any

from Testing.fuzz.bytes_mutators import Draw, Mutator
from Testing.fuzz.text_mutators import WORDS

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 0.5, -0.0, 1e30, 1e308, float("nan"), float("inf"), "",
    [], {},
    [[]], [None], {"a": {}}, [0] * 1000, "1", *WORDS,
)  # fmt: skip


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with a key or number in it."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in list(keys) for place in [(value, key), *_places(value[key])]]


def change_value(data: bytes, draw: Draw) -> bytes:
    """Put another value somewhere, or take one away."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return data  # a second mutation of the same file
    places = _places(content)
    if not places:
        return data
    container, key = places[int(draw.integers(len(places)))]
    if draw.random() < 0.2:
        del container[key]
    else:
        container[key] = VALUES[int(draw.integers(len(VALUES)))]
    return json.dumps(content).encode()


def deepen(data: bytes, draw: Draw) -> bytes:
    """Brackets in brackets."""
    return b"[" * int(draw.choice([10, 2000, 100_000])) + data


JSON: tuple[Mutator, ...] = (change_value,) * 8 + (deepen,)
