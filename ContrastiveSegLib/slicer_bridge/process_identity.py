"""Which process a process id stands for: when it began and what it was called with; ids are used again."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# A start is known to a second on some systems, and clocks are corrected now and then.
TOLERANCE_S = 5.0


@dataclass(frozen=True)
class Identity:
    """A process that runs.

    Args:
        started: Seconds since 1970.
        words: Its command line; empty where the system does not say.
    """

    started: float
    words: tuple[str, ...]


def identity_of(pid: int) -> Identity | None:
    """What runs under a process id; None if nothing does, or if the system does not tell."""
    if pid <= 0:
        return None  # 0 and below stand for whole groups of processes
    with contextlib.suppress(ImportError):
        return _from_psutil(pid)
    if sys.platform == "win32":
        return _from_windows(pid)
    return _from_proc(pid) if Path("/proc/self/stat").exists() else _from_ps(pid)


def is_same(pid: int, started: float, words: tuple[str, ...]) -> bool:
    """Whether the process that was started then, with these words, still has this id."""
    found = identity_of(pid)
    if found is None or not abs(found.started - started) <= TOLERANCE_S:  # nor if it is no number
        return False
    return not found.words or not words or _tail(found.words) == _tail(words)


def _tail(words: tuple[str, ...]) -> list[str]:
    """Without the program itself, which some systems replace by what a link leads to."""
    return " ".join(words).split()[1:]


def _from_psutil(pid: int) -> Identity | None:
    import psutil  # not there in a fresh Slicer

    try:
        process = psutil.Process(pid)
        return Identity(float(process.create_time()), tuple(process.cmdline()))
    except psutil.AccessDenied:
        return None
    except psutil.Error:
        return None


def _from_proc(pid: int) -> Identity | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime"))
        ticks = os.sysconf("SC_CLK_TCK")
        return Identity(int(boot.split()[1]) + int(fields[19]) / ticks, tuple(words))
    except (OSError, ValueError, IndexError, StopIteration):
        return None


def _from_ps(pid: int) -> Identity | None:
    """macOS: the seconds it has been running, as days-hours:minutes:seconds, and its words."""
    import time

    command = ["ps", "-ww", "-o", "etime=,command=", "-p", str(pid)]
    try:
        line = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout.split()
    except (OSError, subprocess.TimeoutExpired):
        return None
    if len(line) < 2:
        return None
    days, _, clock = line[0].rpartition("-")
    seconds = 0
    for part in clock.split(":"):
        seconds = 60 * seconds + int(part)
    return Identity(time.time() - 86_400 * int(days or 0) - seconds, tuple(line[1:]))


def _from_windows(pid: int) -> Identity | None:
    """Windows without psutil tells the start alone, in tenths of microseconds since 1601."""
    import ctypes

    kernel: Any = ctypes.windll.kernel32  # type: ignore[attr-defined]
    handle = kernel.OpenProcess(0x1000, False, pid)
    if not handle:
        return None
    times = [ctypes.c_ulonglong() for _ in range(4)]
    known = kernel.GetProcessTimes(handle, *map(ctypes.byref, times))
    kernel.CloseHandle(handle)
    return Identity(times[0].value / 1e7 - 11_644_473_600, ()) if known else None
