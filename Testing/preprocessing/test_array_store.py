"""Large arrays are not read whole at every start, and damaged ones are found nevertheless."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from ContrastiveSegLib.errors import CannotWrite
from ContrastiveSegLib.preprocessing import array_store
from ContrastiveSegLib.preprocessing.array_store import array_file, read_facts, store

FACTS = {"modality": "ct", "notes": ["ä"]}


@pytest.fixture
def stem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stored array that counts as large; what reads it whole is counted in `read_whole`."""
    monkeypatch.setattr(array_store, "SMALL", 0)
    store(tmp_path / "case", np.random.default_rng(0).random((16, 64, 64), np.float32), FACTS)
    return tmp_path / "case"


@pytest.fixture
def read_whole(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counted: list[int] = []
    seal = array_store._seal
    monkeypatch.setattr(array_store, "_seal", lambda *it: counted.append(1) or seal(*it))
    return counted


def _rewrite(stem: Path, content: bytes, *, same_time: bool) -> None:
    path = array_file(stem)
    before = path.stat()
    path.write_bytes(content)
    time = before.st_mtime_ns if same_time else before.st_mtime_ns + 10**9
    os.utime(path, ns=(before.st_atime_ns, time))


def test_an_array_that_nobody_touched_is_not_read_whole(stem: Path, read_whole: list[int]) -> None:
    assert read_facts(stem) == FACTS
    assert not read_whole


def test_a_small_array_is_always_read_whole(
    stem: Path, read_whole: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(array_store, "SMALL", 1 << 22)

    assert read_facts(stem) == FACTS
    assert len(read_whole) == 1


def test_a_copied_array_is_read_whole_once(stem: Path, read_whole: list[int]) -> None:
    _rewrite(stem, array_file(stem).read_bytes(), same_time=False)

    assert [read_facts(stem) for _ in range(3)] == [FACTS] * 3
    assert len(read_whole) == 1


def test_facts_of_an_earlier_version_are_understood(stem: Path, read_whole: list[int]) -> None:
    path = stem.with_name("case.json")
    facts = json.loads(path.read_text())
    del facts["unchanged"]
    path.write_text(json.dumps(facts))

    assert [read_facts(stem) for _ in range(3)] == [FACTS] * 3
    assert len(read_whole) == 1


def test_one_changed_bit_is_found_by_the_time_of_the_file(stem: Path) -> None:
    content = bytearray(array_file(stem).read_bytes())
    content[-1000] ^= 1
    _rewrite(stem, bytes(content), same_time=False)

    assert read_facts(stem) is None


def test_emptied_pages_are_found_although_size_and_time_are_right(stem: Path) -> None:
    content = array_file(stem).read_bytes()
    half = len(content) // 2
    _rewrite(stem, content[:half] + bytes(len(content) - half), same_time=True)

    assert read_facts(stem) is None


def test_changed_facts_are_found(stem: Path) -> None:
    path = stem.with_name("case.json")
    path.write_text(path.read_text().replace("ct", "mr"))

    assert read_facts(stem) is None


def test_a_folder_that_is_read_only_is_no_hindrance(stem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise CannotWrite("It is read-only.", "Choose another.")

    _rewrite(stem, array_file(stem).read_bytes(), same_time=False)
    monkeypatch.setattr(array_store, "_write_facts", refuse)

    assert read_facts(stem) == FACTS
