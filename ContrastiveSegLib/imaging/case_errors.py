"""One case can fail, a job cannot: whatever goes wrong with a case is the reason why it is left out."""

from __future__ import annotations

import errno
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from ContrastiveSegLib.errors import Cancelled, CannotWrite, ContrastiveSegError, RunInUse
from ContrastiveSegLib.terminal import CONTROL

P = ParamSpec("P")
T = TypeVar("T")

LOGGER = logging.getLogger("ContrastiveSegLib")

# Of the file alone; every other refusal to write meets the next case, too.
NAME_REFUSED = (errno.ENAMETOOLONG, errno.EEXIST, errno.EISDIR, errno.EINVAL)
DISK_REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
LONGEST_REASON = 600
SHOWN = 3
NO_MEMORY = re.compile(r"failed to allocate|bad_alloc|not enough memory", re.IGNORECASE)


@dataclass(frozen=True)
class LostCases:
    """How many of the cases of a folder something went wrong with.

    Args:
        lost: Cases that were meant to be used and could not be; not those left out on purpose.
        of: All cases that were meant to be used.
    """

    lost: int = 0
    of: int = 0

    @property
    def are_most(self) -> bool:
        """Whether more cases were lost than were used."""
        return 2 * self.lost > self.of

    def __add__(self, other: LostCases) -> LostCases:
        return LostCases(self.lost + other.lost, self.of + other.of)

    def __str__(self) -> str:
        return (
            f"Most of the cases were lost: {self.lost} of {self.of} could not be used. See the reasons above."
        )


def attempt(name: str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[T | None, str]:
    """Do what concerns one case alone; whatever goes wrong costs this case.

    What nobody expected is written to the log with its traceback.

    Args:
        name: What to call the case in the log.

    Returns:
        What the work returned and "", or None and the reason why the case is left out, on one line.

    Raises:
        Exception: What would meet every other case too: a stop, a full disk, a missing package.
    """
    try:
        return work(*args, **kwargs), ""
    except Exception as error:
        if _meets_every_case(error):
            raise
        reason = reason_of(error)
        if not isinstance(error, ContrastiveSegError):
            LOGGER.info("%s is left out: %s", name, reason, exc_info=error)
        return None, reason


def reason_of(error: BaseException) -> str:
    """Why a case is left out, on one line that breaks no table and no terminal."""
    return one_line(str(error) if isinstance(error, ContrastiveSegError) else _in_words(error))


def first_reasons(reasons: Sequence[str]) -> str:
    """The first few of many different reasons, numbered, and how many more there are."""
    different = list(dict.fromkeys(reasons))
    shown = " ".join(f"({n}) {reason}" for n, reason in enumerate(different[:SHOWN], start=1))
    return shown + (f" And {len(different) - SHOWN} more." if len(different) > SHOWN else "")


def one_line(text: str, *, longest: int = LONGEST_REASON) -> str:
    """A text without line breaks and control characters, cut in the middle if it is very long."""
    text = re.sub(f"[{CONTROL}\ud800-\udfff]+", " ", text).strip()
    half = longest // 2
    return text if len(text) <= longest else f"{text[:half]} ... {text[-half:]}"


def _meets_every_case(error: Exception) -> bool:
    if isinstance(error, CannotWrite):
        return isinstance(error.__cause__, OSError) and error.__cause__.errno not in NAME_REFUSED
    if isinstance(error, OSError):
        return isinstance(error, BrokenPipeError) or error.errno in DISK_REFUSED
    return isinstance(error, (Cancelled, RunInUse, ImportError))


def _in_words(error: BaseException) -> str:
    what = f"{type(error).__name__}: {error}".rstrip(": ")
    # torch names its own error so and derives it from RuntimeError; ITK says it in words.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or NO_MEMORY.search(what):
        return "It does not fit into memory. Close other programs, or leave this case out."
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename} cannot be used" if error.filename else "A file cannot be used"
        if error.errno == errno.ENAMETOOLONG:
            return f"{place}: {error.strerror}. Give the case a shorter name."
        return f"{place}: {error.strerror}. Check that it is there and that you have the rights to it."
    return f"Something unexpected happened: {what}. Leave the case out, or report it with log.txt."
