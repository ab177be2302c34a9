"""Share a run folder: its size, export into one file, import, and delete.

Exporting gigabytes takes minutes, so the panel starts this file as a process of its own:
`python -m ContrastiveSegLib.slicer_bridge.run_archive export RUN FILE.zip`. Standard library only.
"""

from __future__ import annotations

import json
import lzma
import os
import shutil
import signal
import socket
import struct
import sys
import uuid
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ContrastiveSegLib.disk import cannot_write, replacing
from ContrastiveSegLib.errors import BadFile, BadFolder, BadSetting, CannotWrite, ContrastiveSegError
from ContrastiveSegLib.program_identity import RUN_MARKER
from ContrastiveSegLib.runs import run_names
from ContrastiveSegLib.runs.atomic_write import make_folder
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.runs.temporary_files import is_leftover
from ContrastiveSegLib.slicer_bridge.process_tree import is_alive
from ContrastiveSegLib.slicer_bridge.run_removal import RESULTS, contents_of, delete_run
from ContrastiveSegLib.terminal import print_any_letter, visible

__all__ = ["contents_of", "delete_run", "export_run", "import_run", "name_in", "size_in_words", "size_of"]

# What another computer makes again, or what would only confuse it there.
NOT_EXPORTED = (run_names.PREPARED, run_names.PANEL, run_names.LOCK, run_names.CANCEL_REQUEST)
# Here files of a person's own belong to the run; elsewhere nobody sends them by accident.
WHOLE = (run_names.ANNOTATIONS, *RESULTS)
ENCRYPTED = 0x1
RESERVE = 1 << 29  # bytes that an import leaves free
ALREADY_COMPRESSED = (".gz", ".nrrd", ".safetensors", ".png")

# What zipfile and its decompressors say of archives that are damaged or packed in an unknown way.
_DAMAGES = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError, ValueError,
    struct.error, IndexError, OverflowError,
)  # fmt: skip
_HOST = f"{zlib.crc32(socket.gethostname().encode()):08x}"


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            total += path.lstat().st_size if path.is_file() else 0
    return total


def size_in_words(size: int) -> str:
    """Such as "3.2 MB"."""
    amount, units = float(size), ["bytes", "kB", "MB", "GB", "TB"]
    while amount >= 1000 and len(units) > 1:
        amount, units = amount / 1000, units[1:]
    return f"{amount:.0f} {units[0]}" if units[0] == "bytes" else f"{amount:.1f} {units[0]}"


def export_run(run: RunFolder, file: Path) -> None:
    """Write everything that others need into one zip file; what can be prepared anew stays behind.

    Raises:
        BadFolder: This is no run folder.
        CannotWrite: The file exists, or the disk refuses; no partial file remains.
    """
    if not run.exists:
        raise BadFolder(f"{run.path} is no run folder.", f"Choose a folder with a {run_names.SETTINGS}.")
    if file.exists():
        raise CannotWrite(f"{file} exists already.", "Choose another name.")
    top = run.path.resolve().name  # of "." and ".." too
    _sweep(file.parent)
    with (
        replacing(file, temporary=_temporary(file.parent)) as temporary,
        zipfile.ZipFile(temporary, "x") as archive,
    ):
        for path in _exported(run):
            packed = path.name.endswith(ALREADY_COMPRESSED)
            how = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            archive.write(path, Path(top, path.relative_to(run.path)), compress_type=how)


def name_in(file: Path) -> str:
    """The name of the run in an exported file.

    Raises:
        BadFile: No exported run, or damaged.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            return _run_name(archive, file)
    except (*_DAMAGES, EOFError, OSError) as error:
        raise _no_run(file, error) from error


def import_run(file: Path, parent: Path, *, name: str = "") -> RunFolder:
    """Unpack an exported run into a new folder below `parent`.

    Args:
        name: Of the new folder; empty: that of the exported run.

    Raises:
        BadFile: No exported run, damaged, encrypted, or it wants to write elsewhere.
        BadSetting: The name is that of a folder elsewhere, or none at all.
        CannotWrite: There is a folder of that name already, it does not fit on the disk, or the disk refuses.
    """
    if name and not _is_one_name(name):
        raise BadSetting(
            f"{name!r} is no name for a run folder in {parent}.",
            "Give a name without a path, such as 'heart'.",
        )
    try:
        with zipfile.ZipFile(file) as archive:
            packed = _run_name(archive, file)
            target = parent / (name or packed)
            if target.exists():
                raise CannotWrite(f"{target} exists already.", "Choose another folder to import into.")
            make_folder(parent)
            _sweep(parent)
            members = _wanted(archive)
            _check_members(members, file, parent)
            _unpack(archive, members, packed, target)
    except (*_DAMAGES, EOFError) as error:
        raise _no_run(file, error) from error
    except OSError as error:
        if error.filename == str(file):
            raise _no_run(file, error) from error
        raise cannot_write(Path(error.filename or parent), error) from error
    return RunFolder(target)


def _no_run(file: Path, error: Exception) -> BadFile:
    return BadFile(
        f"{file} is no exported run, or damaged ({error}).",
        "Export the run again, and copy the file completely.",
    )


def _exported(run: RunFolder) -> Iterator[Path]:
    found = contents_of(run)
    for path in sorted((*found.own, *(p for p in found.others if _top(p, run) in WHOLE))):
        # A link may lead to anything on this computer, and the program makes none.
        if (
            path.is_file()
            and not path.is_symlink()
            and not is_leftover(path)
            and _top(path, run) not in NOT_EXPORTED
        ):
            yield path


def _top(path: Path, run: RunFolder) -> str:
    return path.relative_to(run.path).parts[0]


def _is_one_name(name: str) -> bool:
    """Whether a name stands for a folder of this place: no path of any system, no stream, no drive."""
    return name.strip(" .") != "" and not any(letter in name for letter in "/\\:\0")


def _run_name(archive: zipfile.ZipFile, file: Path) -> str:
    """The one folder that everything lies in."""
    names = [Path(name) for name in archive.namelist()]
    tops = {name.parts[0] for name in names if name.parts}
    is_safe = all(
        not name.is_absolute() and ".." not in name.parts and ":" not in str(name) for name in names
    )
    files = {str(Path(*name.parts[1:])).replace("\\", "/") for name in names}
    is_run = bool({RUN_MARKER, run_names.SETTINGS} & files) or any(
        name.startswith(f"{run_names.FINETUNE}/") and name.endswith(f"/{run_names.SETTINGS}")
        for name in files
    )
    if len(tops) != 1 or not is_safe or not is_run:
        raise BadFile(f"{file} is no exported run.", "Choose a file that was made with 'Export run'.")
    return tops.pop()


def _wanted(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """What is unpacked: a process id or a lock of another computer would only do harm here."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    return [m for m in members if Path(m.filename).parts[1].casefold() not in NOT_EXPORTED]


def _check_members(members: Sequence[zipfile.ZipInfo], file: Path, parent: Path) -> None:
    """Refuse what cannot be unpacked before a byte is written.

    Raises:
        BadFile: It is encrypted.
        CannotWrite: It would fill the disk.
    """
    if any(member.flag_bits & ENCRYPTED for member in members):
        raise BadFile(f"{file} is encrypted.", "Export the run without a password.")
    needed, free = sum(member.file_size for member in members), shutil.disk_usage(parent).free
    if needed > free - RESERVE:
        raise CannotWrite(
            f"{file} holds {size_in_words(needed)}, but the disk of {parent} has {size_in_words(free)} free.",
            "Free some space, or choose another folder; do not trust the file if no run is that large.",
        )


def _unpack(
    archive: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo], packed_name: str, target: Path
) -> None:
    """All or nothing: unpacked beside the target, then renamed. Nothing but plain files is made."""
    temporary = _temporary(target.parent)
    try:
        for member in members:
            path = temporary / member.filename
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as packed, path.open("xb") as unpacked:
                shutil.copyfileobj(packed, unpacked, 1 << 20)
        if not RunFolder(temporary / packed_name).exists:
            raise zipfile.BadZipFile("it holds no settings, models or events of a run")
        (temporary / packed_name).replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _temporary(folder: Path) -> Path:
    """A name that says whose unfinished file or folder it is."""
    return folder / f".archive-{_HOST}-{os.getpid()}-{uuid.uuid4().hex}.tmp"


def _sweep(folder: Path) -> None:
    """Remove what processes of this computer left half-written when they were killed."""
    for path in folder.glob(f".archive-{_HOST}-*.tmp"):
        pid = path.name.split("-")[2]
        if pid.isdecimal() and not is_alive(int(pid)):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _leave_cleanly(_number: int, _frame: Any) -> None:
    """Cancel ends this process by a signal; what is half-written goes first."""
    sys.exit(1)


def main(words: Sequence[str]) -> int:
    """`export RUN FILE.zip`, `import FILE.zip FOLDER [NAME]`, VERB `--settings` FILE; 0, or 1 and why."""
    print_any_letter()
    signal.signal(signal.SIGTERM, _leave_cleanly)
    verb, first, second, *name = words
    if first == "--settings":
        first, second, *name = json.loads(Path(second).read_text(encoding="utf-8"))[verb]["words"]
    try:
        if verb == "export":
            export_run(RunFolder(Path(first)), Path(second))
            sys.stdout.write(f"{second}\n")
        else:
            sys.stdout.write(f"{import_run(Path(first), Path(second), name=''.join(name)).path}\n")
    except ContrastiveSegError as error:
        sys.stdout.write(f"{visible(str(error))}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
