"""Write a file completely or not at all, and say in one sentence why it could not be written."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from ContrastiveSegLib.errors import CannotWrite
from ContrastiveSegLib.program_identity import PREPARED, run_format

# A disk with less is full.
FULL_BYTES = 1 << 20

_REASONS = {
    errno.ENOSPC: ("the disk is full", "Free some space or choose another folder, then start again."),
    errno.EDQUOT: (
        "the disk quota is used up",
        "Free some space or choose another folder, then start again.",
    ),
    errno.EFBIG: ("it would be larger than the disk allows", "Choose a folder on another disk."),
    errno.EROFS: ("the disk is read-only", "Choose a folder that you may write to."),
    errno.EACCES: ("you have no permission to write there", "Choose a folder that you may write to."),
    errno.EPERM: ("you have no permission to write there", "Choose a folder that you may write to."),
    errno.ENAMETOOLONG: ("its name is too long", "Choose a shorter name or a folder closer to the root."),
    errno.ENOENT: ("its folder does not exist", "Create the folder, or choose another one."),
    errno.ENOTDIR: ("a part of its path is a file", "Choose another folder."),
    errno.EISDIR: ("a folder of that name is in the way", "Choose another name."),
    errno.EEXIST: ("a file of that name is in the way", "Remove it, or choose another folder."),
}


def cannot_write(path: Path, error: OSError) -> CannotWrite:
    """The error for a file that the operating system refused to write."""
    otherwise = (f"the system says: {error.strerror or error}", "Choose another folder.")
    # numpy says only how many bytes are missing.
    number = errno.ENOSPC if error.errno is None and _is_full(path) else error.errno
    reason, remedy = _REASONS.get(number or 0, otherwise)
    if number in (errno.ENOSPC, errno.EDQUOT):
        remedy += _disk_of(path) + _what_to_free(path)
    return CannotWrite(f"{path} cannot be written: {reason}.", remedy)


def _is_full(path: Path) -> bool:
    """Whether the unfinished file has taken what was left of its disk."""
    try:
        return shutil.disk_usage(path.parent).free < FULL_BYTES
    except OSError:
        return False


def _disk_of(path: Path) -> str:
    """Which disk it is, and what is free there; "" if the system does not say."""
    try:
        disk = next(folder for folder in path.absolute().parents if folder.is_mount())
        return f" The disk {disk} has {shutil.disk_usage(disk).free >> 20} MB free."
    except (OSError, StopIteration, NotImplementedError):
        return ""


def _what_to_free(path: Path) -> str:
    """The prepared arrays of the run that the file lies in: they are made again when they are needed."""
    for folder in path.absolute().parents:
        prepared = folder / PREPARED
        if run_format(folder) is not None and prepared.is_dir():
            with contextlib.suppress(OSError):
                size = sum(file.stat().st_size for file in prepared.iterdir()) >> 20
                return f" {prepared} ({size} MB) may be deleted: it is made again when it is needed."
    return ""


@contextlib.contextmanager
def replacing(
    path: Path, suffix: str = ".tmp", *, temporary: Path | None = None, lasting: bool = True
) -> Iterator[Path]:
    """A file to write that takes the place of `path` at the end: whoever looks never sees a part of it.

    It lies in the same folder, because a file can only be renamed atomically within one disk. Its name does
    not contain the final one, which may already have the greatest length allowed.

    Args:
        suffix: Of the file to write, where it decides the format.
        temporary: The file to write, where its name must say more; else a new one.
        lasting: Wait until the disk has it; not for what is checked when it is read, and made again.

    Raises:
        CannotWrite: Disk full, read-only, no permission ...; what was there before is untouched.
    """
    temporary = temporary or path.parent / f".partial-{uuid.uuid4().hex[:12]}{suffix}"
    try:
        yield temporary
        if lasting:
            _synchronize(temporary)
        _replace(temporary, path)
        if lasting:
            _keep_rename(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        # Only there if something failed above; a disk that refuses this too has already been reported.
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Create a folder and those above it; one that exists is fine.

    Raises:
        CannotWrite: Read-only, no permission, or a file is in the way.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def _synchronize(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _replace(temporary: Path, path: Path) -> None:
    if sys.platform == "win32":
        # Windows refuses to replace a file while somebody reads it, as the panel does for an instant.
        for _ in range(20):
            with contextlib.suppress(PermissionError):
                temporary.replace(path)
                return
            time.sleep(0.05)
    temporary.replace(path)


def _keep_rename(folder: Path) -> None:
    """Make the rename itself survive a power cut; Windows has no such call for folders."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot synchronize a folder; the file itself has been.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)
