"""Files that a killed process left half-written: known by their names, and removed at the next start."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable
from pathlib import Path

from ContrastiveSegLib.disk import make_folder
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.runs.run_names import FINETUNE, SELF_TRAINING

# Of whole files before they are renamed, of volumes, of copies, and of prepared arrays.
_UNFINISHED = re.compile(
    r"\.[0-9a-f]{32}\.tmp|\.partial-[0-9a-f]{12}\..+|.+-[0-9a-f]{12}\.part(\.npy)?|\.archive-[0-9a-f-]+\.tmp"
)


_ROUNDS = f"{FINETUNE}/[0-9]*"
_PARTS = f"{_ROUNDS}/{SELF_TRAINING}/*"
PLACES_OF_ROUNDS = (_ROUNDS, _PARTS, f"{_PARTS}/pseudo_labels")
# Others may write into a folder of results; what nobody touched for so long was left by a killed process.
ABANDONED_S = 900.0


def is_leftover(path: Path) -> bool:
    """Whether a file has a name that only unfinished files of this program have."""
    return _UNFINISHED.fullmatch(path.name) is not None


def remove_temporary_files(folders: Iterable[Path], *, older_than_s: float) -> tuple[Path, ...]:
    """Remove the unfinished files right in these folders, and say which they were.

    Args:
        older_than_s: Seconds for which nobody wrote to them: another process may be in the middle of one.
    """
    removed = []
    for folder in folders:
        with contextlib.suppress(OSError):  # a folder that is not there, or that may not be opened
            removed += [path for path in folder.iterdir() if _is_old(path, older_than_s) and _remove(path)]
    return tuple(removed)


def make_output_folder(folder: Path) -> None:
    """Create a folder for results; what a killed process left there half-written goes.

    Raises:
        CannotWrite: Read-only, no permission, or a file is in the way.
    """
    make_folder(folder)
    remove_temporary_files([folder], older_than_s=ABANDONED_S)


def _is_old(path: Path, seconds: float) -> bool:
    return is_leftover(path) and path.is_file() and time.time() - path.lstat().st_mtime > seconds


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False  # read-only, or open on Windows: it does no harm, and the next start tries again
    return True


def folders_in(run: RunFolder) -> tuple[Path, ...]:
    """The folders of a run in which files are written."""
    rounds = [room for place in PLACES_OF_ROUNDS for room in run.path.glob(place)]
    labeled = [run.annotations / name for name in ("images", "labels", "scribbles")]
    return (
        run.prepared,
        run.pretrain,
        *rounds,
        run.predictions,
        run.refined,
        run.annotations,
        *labeled,
        run.panel,
    )
