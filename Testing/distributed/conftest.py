"""Starts several processes of a test, as torchrun would."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WITHIN_S = 300


@pytest.fixture
def start_together() -> Callable[..., list[subprocess.CompletedProcess[str]]]:
    """A starter of processes: `start_together(words, 2)`; words may be one list for each process."""
    return _start_together


def _start_together(
    words: Sequence[str], count: int, *, by_rank: dict[int, Sequence[str]] | None = None
) -> list[subprocess.CompletedProcess[str]]:
    port = _free_port()
    started = [
        subprocess.Popen(
            [sys.executable, *((by_rank or {}).get(rank, words))],
            cwd=ROOT,
            env=_environment(rank, count, port),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for rank in range(count)
    ]
    ended = []
    for process in started:
        try:
            out, err = process.communicate(timeout=WITHIN_S)
        except subprocess.TimeoutExpired:
            for other in started:
                other.kill()
            raise
        ended.append(subprocess.CompletedProcess(process.args, process.returncode, out, err))
    return ended


def _environment(rank: int, count: int, port: int) -> dict[str, str]:
    own = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "MASTER_PORT": port, "OMP_NUM_THREADS": 1}
    return {**os.environ, **{name: str(value) for name, value in own.items()}, "MASTER_ADDR": "127.0.0.1"}


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
