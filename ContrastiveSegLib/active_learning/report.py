"""Suggestions as a table, for people and for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from ContrastiveSegLib.active_learning.suggestions import Suggestion
from ContrastiveSegLib.terminal import visible

FORMAT = 1
COLUMNS = (
    "rank",
    "kind",
    "case",
    "patient",
    "slice",
    "axis",
    "toward",
    "position_mm",
    "score",
    "share",
    "novelty",
    "uncertainty",
    "reason",
)


def to_csv(suggestions: Sequence[Suggestion]) -> str:
    """One row per suggestion; empty where a number does not apply."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    for suggestion in suggestions:
        table.writerow({key: "" if value is None else value for key, value in _row(suggestion).items()})
    return text.getvalue()


def to_json(suggestions: Sequence[Suggestion], **facts: Any) -> str:
    """The same rows under "suggestions", null where a number does not apply, beside facts about them all."""
    content = {"format": FORMAT, **facts, "suggestions": [_row(suggestion) for suggestion in suggestions]}
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_text(suggestions: Sequence[Suggestion]) -> str:
    """One line per suggestion, for the terminal."""
    lines = [f"{'':>3} {'':5} score  what"]
    for one in suggestions:
        where = f", slice {one.place.index} along {one.place.axis}" if one.place else ""
        lines.append(f"{one.rank:>3} {one.kind:5} {one.score:5.2f}  {one.case}{where}: {one.reason}")
    return "\n".join(map(visible, lines))


def _row(one: Suggestion) -> dict[str, Any]:
    place = one.place
    return {
        "rank": one.rank,
        "kind": one.kind,
        "case": one.case,
        "patient": one.patient,
        "slice": place.index if place else None,
        "axis": place.axis if place else None,
        "toward": place.toward if place else None,
        "position_mm": place.position_mm if place else None,
        "score": round(one.score, 4),
        "share": round(one.share, 4),
        "novelty": None if one.novelty is None else round(one.novelty, 4),
        "uncertainty": None if one.uncertainty is None else round(one.uncertainty, 5),
        "reason": one.reason,
    }
