"""How much memory and time a process has used, and the limit it can be given."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if sys.platform == "linux":
    import os
    import resource

    PAGE, TICK = resource.getpagesize(), os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Use:
    """What a process has used: memory in bytes, processor time in seconds; None where nobody can tell."""

    memory: int | None
    seconds: float | None


def use_of(pid: int) -> Use:
    """What a living process has used by now."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, ValueError, IndexError):
            pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
            # The name of the program stands in brackets and may hold anything.
            ticks = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
            return Use(int(pages[1]) * PAGE, sum(map(int, ticks.split()[11:13])) / TICK)
        return Use(None, None)
    return _by_psutil(pid)


def limit_own_growth(allowed: int) -> None:
    """Let this process take so many bytes more than it has, where the system knows such limits.

    Elsewhere whoever waits for it watches it.
    """
    if sys.platform == "linux":
        # Data, not address space: threads reserve much of the latter and use little.
        with contextlib.suppress(OSError, ValueError, IndexError):
            now = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5]) * PAGE
            _, hard = resource.getrlimit(resource.RLIMIT_DATA)
            wanted = now + allowed
            resource.setrlimit(
                resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
            )


def _by_psutil(pid: int) -> Use:
    """In Slicer it is there once the packages of the module are installed."""
    try:
        import psutil
    except ImportError:
        return Use(None, None)
    try:
        process: Any = psutil.Process(pid)
        times = process.cpu_times()
        return Use(int(process.memory_info().rss), float(times.user + times.system))
    except psutil.Error:
        return Use(None, None)
