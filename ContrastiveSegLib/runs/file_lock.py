"""A lock that the operating system releases when its holder dies, however it dies."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from ContrastiveSegLib.disk import cannot_write
from ContrastiveSegLib.errors import RunInUse
from ContrastiveSegLib.runs.held_locks import forget, held_locks, keep

__all__ = ["held_locks", "hold"]

_TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock file `path` inside the `with` block.

    Not `flock`: that lock is inherited by forked worker processes, which may outlive a killed parent.

    Raises:
        RunInUse: Another process, or another part of this one, holds the lock; names its process id.
        CannotWrite: The lock file cannot be created, or the disk knows no locks.
    """
    # A POSIX lock belongs to the process: a second lock by the same process would succeed, and closing any
    # other handle of the file would release it. So this process keeps its own list, and looks there first.
    if path.resolve() in held_locks():
        raise _in_use(path, f"{os.getpid()} {socket.gethostname()}")
    with _opened(path) as file:
        _lock(file, path)
        _sign(file)
        place = keep(path, file)
        try:
            yield
        finally:
            forget(place)
            with contextlib.suppress(OSError):  # closing the file gives the lock back anyway
                _unlock(file)


def _opened(path: Path) -> FileIO:
    try:
        return path.open("a+b", buffering=0)
    except OSError as error:
        raise cannot_write(path, error) from error


def _lock(file: FileIO, path: Path) -> None:
    try:
        _take(file)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise cannot_write(path, error) from error
        file.seek(0)
        raise _in_use(path, file.read(200).decode("utf-8", errors="replace")) from error


def _sign(file: FileIO) -> None:
    """Leave process id and computer for whoever finds the lock taken; on a full disk the lock has to do."""
    with contextlib.suppress(OSError):
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()} {socket.gethostname()}\n".encode())


def _in_use(path: Path, signature: str) -> RunInUse:
    process, _, computer = signature.strip().partition(" ")
    where = f" on {computer}" if computer else ""
    what = f"Another job is working in {path.parent}: process {process or 'unknown'}{where}."
    return RunInUse(what, "Wait until it has finished, or stop it, then start again.")


if sys.platform == "win32":
    import msvcrt

    # Windows does not let others read a locked byte; this one lies far behind the signature.
    _BYTE = 1 << 20

    def _take(file: FileIO) -> None:
        file.seek(_BYTE)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

    def _unlock(file: FileIO) -> None:
        file.seek(_BYTE)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _take(file: FileIO) -> None:
        fcntl.lockf(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(file: FileIO) -> None:
        fcntl.lockf(file.fileno(), fcntl.LOCK_UN)
