"""Hand a run folder on: its size, one file to export, the way back in, and delete.

Exporting gigabytes takes minutes, so the panel starts this file as a process of its own:
`python -m ContrastiveSegLib.slicer_bridge.run_archive export RUN FILE.zip`. Standard library only.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ContrastiveSegLib.errors import BadFile, BadFolder, CannotWrite, ContrastiveSegError
from ContrastiveSegLib.runs.leftovers import is_leftover
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.runs.writing import cannot_write, make_folder
from ContrastiveSegLib.slicer_bridge.run_removal import RESULTS, contents_of, delete_run

__all__ = ["contents_of", "delete_run", "export_run", "import_run", "size_in_words", "size_of"]

# What another computer makes again, or what would only confuse it there.
NOT_EXPORTED = ("prepared", "panel", "lock", "cancel.request")
# Here files of a person's own belong to the run; elsewhere nobody sends them by accident.
WHOLE = ("annotations", *RESULTS)
ALREADY_COMPRESSED = (".gz", ".nrrd", ".safetensors", ".png")


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
        raise BadFolder(f"{run.path} is no run folder.", "Choose a folder with a settings.json.")
    if file.exists():
        raise CannotWrite(f"{file} exists already.", "Choose another name.")
    temporary = file.parent / f".{uuid.uuid4().hex}.tmp"
    try:
        with zipfile.ZipFile(temporary, "x") as archive:
            for path in _exported(run):
                packed = path.name.endswith(ALREADY_COMPRESSED)
                how = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
                archive.write(path, Path(run.path.name, path.relative_to(run.path)), compress_type=how)
        temporary.replace(file)
    except OSError as error:
        raise cannot_write(file, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def import_run(file: Path, parent: Path) -> RunFolder:
    """Unpack an exported run into a new folder below `parent`.

    Raises:
        BadFile: No exported run, damaged, or it wants to write elsewhere.
        CannotWrite: There is a folder of that name already, or the disk refuses.
    """
    remedy = "Export the run again, and copy the file completely."
    try:
        with zipfile.ZipFile(file) as archive:
            name = _run_name(archive, file)
            target = parent / name
            if target.exists():
                raise CannotWrite(f"{target} exists already.", "Choose another folder to import into.")
            _unpack(archive, parent, target)
    except (zipfile.BadZipFile, EOFError) as error:
        raise BadFile(f"{file} is no exported run, or damaged ({error}).", remedy) from error
    except OSError as error:
        raise cannot_write(parent, error) from error
    return RunFolder(target)


def _exported(run: RunFolder) -> Iterator[Path]:
    found = contents_of(run)
    for path in sorted((*found.own, *(p for p in found.others if _top(p, run) in WHOLE))):
        if path.is_file() and not is_leftover(path) and _top(path, run) not in NOT_EXPORTED:
            yield path


def _top(path: Path, run: RunFolder) -> str:
    return path.relative_to(run.path).parts[0]


def _run_name(archive: zipfile.ZipFile, file: Path) -> str:
    """The one folder that everything lies in."""
    names = [Path(name) for name in archive.namelist()]
    tops = {name.parts[0] for name in names if name.parts}
    is_safe = all(
        not name.is_absolute() and ".." not in name.parts and ":" not in str(name) for name in names
    )
    files = {str(Path(*name.parts[1:])).replace("\\", "/") for name in names}
    is_run = "settings.json" in files or any(
        name.startswith("finetune/") and name.endswith("/settings.json") for name in files
    )
    if len(tops) != 1 or not is_safe or not is_run:
        raise BadFile(f"{file} is no exported run.", "Choose a file that was made with 'Export run'.")
    return tops.pop()


def _unpack(archive: zipfile.ZipFile, parent: Path, target: Path) -> None:
    """All or nothing: unpacked beside the target, then renamed."""
    make_folder(parent)
    temporary = parent / f".{uuid.uuid4().hex}.tmp"
    try:
        archive.extractall(temporary)
        (temporary / target.name).replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def main(words: Sequence[str]) -> int:
    """`export RUN FILE.zip`, `import FILE.zip FOLDER`, or VERB `--settings` FILE; 0, or 1 with a sentence."""
    verb, first, second = words
    if first == "--settings":
        first, second = json.loads(Path(second).read_text(encoding="utf-8"))[verb]["words"]
    try:
        if verb == "export":
            export_run(RunFolder(Path(first)), Path(second))
            sys.stdout.write(f"{second}\n")
        else:
            sys.stdout.write(f"{import_run(Path(first), Path(second)).path}\n")
    except ContrastiveSegError as error:
        sys.stdout.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
