"""Whether a process is alive, and how to end it with everything it started: Linux, macOS, Windows."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import Any


def group_options() -> dict[str, Any]:
    """What to give to Popen so that the process and its children can be ended together."""
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        return {"creationflags": flags}
    return {"start_new_session": True}


def end_tree(pid: int, *, at_once: bool) -> None:
    """End a process and its children; one that is gone already is fine.

    Args:
        at_once: Leave no time to save. Windows knows no other way for programs without a window.
    """
    if pid <= 1:
        return  # 0 and below are groups of processes, ours among them; 1 is the system itself
    if sys.platform == "win32":
        # taskkill follows the parents' ids; ending the process alone would leave its children behind.
        words = ["taskkill", "/PID", str(pid), "/T", "/F"]
        options = {"creationflags": subprocess.CREATE_NO_WINDOW}
        subprocess.run(words, check=False, capture_output=True, **options)
        return
    # It leads its own session, so that its id is also that of its group.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL if at_once else signal.SIGTERM)


def is_alive(pid: int) -> bool:
    """Whether there is a process of this id; one of another user counts too."""
    if sys.platform == "win32":
        return _is_alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Whether it has ended and only waits for its parent to notice."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False  # macOS has no /proc; there, launchd collects orphans at once


def _is_alive_on_windows(pid: int) -> bool:
    # os.kill(pid, 0) would send Ctrl-C there.
    import ctypes

    still_active, may_ask = 259, 0x1000
    kernel: Any = ctypes.windll.kernel32  # type: ignore[attr-defined]
    handle = kernel.OpenProcess(may_ask, False, pid)
    if not handle:
        return False
    code = ctypes.c_ulong()
    known = kernel.GetExitCodeProcess(handle, ctypes.byref(code))
    kernel.CloseHandle(handle)
    return bool(known) and code.value == still_active
