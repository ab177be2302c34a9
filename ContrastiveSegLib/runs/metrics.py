"""metrics.csv of a fine-tuning: the Dice of held-out patients at each validation."""

from __future__ import annotations

import csv
import math
from pathlib import Path


def best_dice(path: Path) -> dict[str, float]:
    """Dice per structure of the saved weights; empty if no patients were held out.

    The best weights are those with the highest mean over structures, of two the later, as training decides.
    Structures that no patient has are left out.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = [_dice(row) for row in csv.DictReader(stream)]
    except (OSError, ValueError, csv.Error):
        return {}
    scored = [row for row in rows if row]
    return max(reversed(scored), key=lambda row: sum(row.values()) / len(row)) if scored else {}


def _dice(row: dict[str, str]) -> dict[str, float]:
    values = {name: float(text or "nan") for name, text in row.items() if name and name != "step"}
    return {name: value for name, value in values.items() if math.isfinite(value)}
