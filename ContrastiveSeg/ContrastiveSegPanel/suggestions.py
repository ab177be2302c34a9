"""What the job `suggest` proposes to annotate next."""

import csv
from dataclasses import dataclass

from slicer.i18n import tr as _

from ContrastiveSegLib.runs.job_settings import JOBS


@dataclass(frozen=True)
class Suggestion:
    """One slice worth annotating; the score is the job's own."""

    case: str
    slice: int
    score: float
    reason: str


def areAvailable() -> str:
    """Why there are no suggestions in this version, or ""."""
    return "" if "suggest" in JOBS else _("This version makes no suggestions; choose cases in step 1.")


def settings(run, images: str, count: int) -> dict:
    """What the job is asked."""
    return {"run": str(run.path), "images": images, "count": int(count)}


def read(run) -> list:
    """The suggestions in the run folder, best first; none while there are none, or half a file."""
    path = run.path / "suggestions.csv"
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
        found = [Suggestion(r["case"], int(r["slice"]), float(r["score"]), r["reason"]) for r in rows]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return sorted(found, key=lambda suggestion: -suggestion.score)
