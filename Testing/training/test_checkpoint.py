"""A saved state comes back exactly, or is refused; nothing in it is executed."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path

import pytest
import torch

from ContrastiveSegLib.errors import BadCheckpoint, CannotWrite
from ContrastiveSegLib.training.checkpoint import load_state, save_state

CPU = torch.device("cpu")


class Trap:
    """An object that leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.trace,)


@pytest.fixture
def a_state() -> dict[str, object]:
    weights = torch.randn(8, 4, 3, 3).to(memory_format=torch.channels_last)
    return {"step": 7, "learner": {"weight": weights}, "best": None, "best_score": -float("inf")}


@pytest.fixture
def a_file(tmp_path, a_state) -> Path:
    save_state(tmp_path / "pretrain" / "last", a_state)
    return tmp_path / "pretrain" / "last"


def test_a_state_comes_back_bit_by_bit_with_its_memory_format(a_file, a_state):
    state = load_state(a_file, CPU)

    assert {key: state[key] for key in ("step", "best", "best_score")} == {
        key: a_state[key] for key in ("step", "best", "best_score")
    }
    weight = state["learner"]["weight"]
    assert torch.equal(weight, a_state["learner"]["weight"])
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_no_file_is_no_state(tmp_path):
    assert load_state(tmp_path / "last", CPU) is None


def test_every_truncation_is_refused(a_file):
    whole = a_file.read_bytes()

    for length in range(0, len(whole) - 1, 97):
        a_file.write_bytes(whole[:length])
        with pytest.raises(BadCheckpoint, match=r"last cannot be read: .*Delete this file to begin"):
            load_state(a_file, CPU)


def test_a_changed_bit_is_refused_wherever_it_is(a_file):
    whole = a_file.read_bytes()

    for place in range(0, len(whole), 97):
        changed = bytearray(whole)
        changed[place] ^= 16
        a_file.write_bytes(changed)
        with pytest.raises(BadCheckpoint, match=r"last cannot be read: "):
            load_state(a_file, CPU)


@pytest.mark.parametrize("garbage", [b"", b"\x80", b"hello", b"PK\x03\x04", b"\x80\x04K\x01.", bytes(1000)])
def test_other_files_are_refused(a_file, garbage):
    a_file.write_bytes(garbage)

    with pytest.raises(BadCheckpoint, match=r"last cannot be read: "):
        load_state(a_file, CPU)


@pytest.mark.parametrize("container", ["bare pickle", "with its checksum"])
def test_code_in_the_file_is_refused_and_not_run(a_file, tmp_path, container):
    trace = tmp_path / "trace"
    state = {"step": Trap(trace)}
    if container == "bare pickle":
        a_file.write_bytes(pickle.dumps(state))
    else:
        save_state(a_file, state)

    with pytest.raises(BadCheckpoint, match=r"last cannot be read: "):
        load_state(a_file, CPU)

    assert not trace.exists()
    pickle.loads(pickle.dumps(state))
    assert trace.exists()


def test_another_version_is_refused_with_both_numbers(tmp_path, monkeypatch, a_state):
    monkeypatch.setattr("ContrastiveSegLib.training.checkpoint.FORMAT", 99)
    save_state(tmp_path / "last", a_state)
    monkeypatch.undo()

    with pytest.raises(BadCheckpoint, match=r"has format version 99, this program reads 2\. Finish it with"):
        load_state(tmp_path / "last", CPU)


def test_when_the_disk_is_full_the_old_state_stays(a_file, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotWrite, match="the disk is full"):
        save_state(a_file, {"step": 8})
    monkeypatch.undo()

    assert load_state(a_file, CPU)["step"] == 7
    assert [file.name for file in a_file.parent.iterdir()] == ["last"]
