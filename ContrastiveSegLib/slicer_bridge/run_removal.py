"""Delete what the program wrote into a run folder, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from ContrastiveSegLib.disk import cannot_write
from ContrastiveSegLib.errors import BadFolder
from ContrastiveSegLib.file_io.file_names import split_suffix
from ContrastiveSegLib.program_identity import RUN_FORMAT, RUN_MARKER, UNCERTAINTY, run_format
from ContrastiveSegLib.runs.run_contents import Contents, contents
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.runs.run_names import REFINE_REPORT
from ContrastiveSegLib.slicer_bridge.annotation_record import written_files

# The folders of results whose files are called after cases.
RESULTS = (RunFolder(Path()).predictions.name, RunFolder(Path()).refined.name)


def contents_of(run: RunFolder) -> Contents:
    """What of a run folder is the program's, and what is somebody else's."""
    return contents(run, _known_by_case(run))


def delete_run(run: RunFolder) -> tuple[Path, ...]:
    """Delete the files that the program wrote, then the folders that became empty.

    Returns:
        What stays, because somebody else put it there.

    Raises:
        BadFolder: This is no run folder: nothing is deleted.
        RunInUse: A job works in it.
        CannotWrite: The system refuses, for example because a file is open.
    """
    if not run.exists:
        raise BadFolder(f"{run.path} is no run folder, so it is not deleted.", "Delete it by hand.")
    if (run_format(run.path) or 0) > RUN_FORMAT:
        raise BadFolder(
            f"{run.path} is a run of a later version, whose files are not known here.",
            "Delete it with that version, or by hand.",
        )
    with run.lock():  # refuses while a job works here
        pass
    found = contents_of(run)
    marker = run.path / RUN_MARKER
    try:
        # Without its marker nobody would know what the rest of a half-deleted run is.
        for path in [*(path for path in found.own if path != marker), marker]:
            path.unlink(missing_ok=True)
        for folder in sorted(
            {parent for path in found.own for parent in _folders_of(path, run)}, reverse=True
        ):
            _remove_empty(folder)
    except OSError as error:
        raise cannot_write(Path(error.filename or run.path), error) from error
    return found.others


def _folders_of(path: Path, run: RunFolder) -> Iterator[Path]:
    yield from (parent for parent in path.parents if parent == run.path or run.path in parent.parents)


def _remove_empty(folder: Path) -> None:
    if not folder.is_symlink() and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _known_by_case(run: RunFolder) -> Callable[[Path], bool]:
    """Whether a file of results or annotations is known: by an event, or the record of annotations."""
    in_events, written = _results_in_events(run), written_files(run)

    def is_known(path: Path) -> bool:
        inside = path.relative_to(run.path)
        if inside.parts[0] not in RESULTS or len(inside.parts) != 2:
            return path in written
        stem = split_suffix(path.name)[0].removesuffix(UNCERTAINTY).removesuffix(REFINE_REPORT)
        return (inside.parts[0], stem) in in_events

    return is_known


def _results_in_events(run: RunFolder) -> set[tuple[str, str]]:
    """Folder and case of every result in the events, wherever the run lay then."""
    found = set()
    try:
        with run.events.open("rb") as lines:
            for line in lines:
                if b'"result"' in line:
                    found.add(_place_of(line))
    except OSError:
        return set()  # without events nothing is known, and everything stays
    return found


def _place_of(line: bytes) -> tuple[str, str]:
    try:
        parts = re.split(r"[/\\]", json.loads(line)["file"])
        return parts[-2], split_suffix(parts[-1])[0]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return "", ""
