"""What the job `suggest` proposes to annotate next."""

import csv
from dataclasses import dataclass

AXES = {"i": 0, "j": 1, "k": 2}


@dataclass(frozen=True)
class Suggestion:
    """One case or slice worth annotating; the score is the job's own.

    Args:
        slice: Counted from 0 on the image's own grid; None for a whole case.
        axis: Of the image along which that slice is counted: 0, 1 or 2.
    """

    kind: str
    case: str
    slice: object
    axis: int
    score: float
    reason: str

    @property
    def key(self) -> str:
        """One text for a row of the table."""
        return f"{self.case}\n{'' if self.slice is None else self.slice}\n{self.axis}"


def settings(run, images: str, *, kind: str, count: int, free: int, hasAnnotations: bool) -> dict:
    """What the job is asked.

    Args:
        kind: "cases" or "slices".
        free: How many of these there are; the job refuses to suggest more.
    """
    asked = {"run": str(run.path), "images": images, "kind": kind, "count": int(min(count, free) or count)}
    if hasAnnotations:
        asked["labeled"] = str(run.annotations)
    return asked


def read(run) -> list:
    """The suggestions in the run folder, in the job's order; none while there are none, or half a file."""
    try:
        with run.suggestions().open(encoding="utf-8-sig", newline="") as stream:
            return [_suggestion(row) for row in csv.DictReader(stream)]
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return []


def _suggestion(row) -> Suggestion:
    index = int(row["slice"]) if row["slice"] else None
    axis = AXES.get(row["axis"], 2)
    return Suggestion(row["kind"], row["case"], index, axis, float(row["score"]), row["reason"])
