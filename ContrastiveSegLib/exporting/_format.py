"""The interface of each export format: `export()` says what it wrote; a bad case costs that case alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from ContrastiveSegLib.errors import BadFolder
from ContrastiveSegLib.imaging.case_errors import LostCases, attempt
from ContrastiveSegLib.session.reporter import Reporter

Written = TypeVar("Written")


@dataclass(frozen=True)
class Exported:
    """What was written, and what of the run could not be.

    Args:
        path: The file or folder.
        words: One sentence for the user.
    """

    path: Path
    words: str
    lost: LostCases = field(default_factory=LostCases)


def write_each(
    names: Sequence[str], write: Callable[[int], Written], reporter: Reporter
) -> tuple[list[Written], LostCases]:
    """Write one case after the other; one that fails costs that case, with its reason.

    Args:
        write: Writes the case at a position in the names, and says what it wrote.

    Raises:
        BadFolder: Not one case could be written.
    """
    written: list[Written] = []
    with reporter.bar(len(names), "case") as step:
        for number, name in enumerate(names):
            one, reason = attempt(name, write, number)
            if one is None:
                reporter.warn(f"{name} is left out: {reason}", case=name)
            else:
                written.append(one)
            step(1)
    if not written:
        raise BadFolder(f"None of the {len(names)} cases can be exported.", "See the reasons above.")
    return written, LostCases(len(names) - len(written), len(names))
