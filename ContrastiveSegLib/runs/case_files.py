"""Files that are named after a case: CASE.seg.nrrd, among predictions and among annotations."""

from __future__ import annotations

from pathlib import Path

SUFFIX = ".seg.nrrd"


def case_file(folder: Path, case: str) -> Path:
    """Where the labels of a case lie."""
    return folder / f"{case}{SUFFIX}"


def case_of(path: Path) -> str:
    """The case whose labels these are."""
    return path.name.removesuffix(SUFFIX)


def cases_in(folder: Path) -> tuple[str, ...]:
    """The cases that have labels in a folder, sorted."""
    return tuple(sorted(case_of(path) for path in folder.glob(f"*{SUFFIX}")))
