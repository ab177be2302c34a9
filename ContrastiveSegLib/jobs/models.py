"""List the promptable models: which are usable here, their licenses, and how to get the others."""

from __future__ import annotations

import json
import sys
from typing import Any

from ContrastiveSegLib.sam._checkpoint import identify
from ContrastiveSegLib.sam.catalog import INSTALL, Family, list_families, recognize, usable_weights
from ContrastiveSegLib.settings.job_settings import ModelsSettings


def run(settings: ModelsSettings) -> None:
    """Write the list, and what the named checkpoint is.

    Raises:
        BadCheckpoint: The named checkpoint belongs to no family.
    """
    if settings.checkpoint:
        family = recognize(settings.checkpoint)
        weights = identify(settings.checkpoint, family.card.known)
        sys.stdout.write(f"{weights.describe()}\n  --model {family.name}; license {family.card.license}\n")
        return
    rows = [_row(family) for family in list_families()]
    if settings.json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    else:
        sys.stdout.write("\n\n".join(_paragraph(row) for row in rows) + "\n")


def _row(family: Family) -> dict[str, Any]:
    """What is known about a family here; plain values."""
    weights = usable_weights(family)
    todo = [INSTALL] if family.missing_packages else []
    if weights is None:
        todo.append(family.card.how)
    elif not weights.known_as:
        todo.append(f"{weights.path} is not the published file; install it again: {family.card.how}")
    return {
        "name": family.name,
        "caption": family.caption,
        "makes": family.card.makes,
        "license": family.card.license,
        "source": family.card.source,
        "usable": not todo,
        "with_checkpoint": not family.missing_packages,
        "weights": str(weights.path) if weights else None,
        "sha256": weights.sha256 if weights else None,
        "to_do": todo,
    }


def _paragraph(row: dict[str, Any]) -> str:
    """A family as a person reads it."""
    state = (
        "usable" if row["usable"] else "needs a checkpoint" if row["with_checkpoint"] else "not usable yet"
    )
    lines = [f"{row['name']}: {state}", row["caption"], f"license of the weights: {row['license']}"]
    if row["weights"]:
        lines.append(f"weights: {row['weights']}\n    SHA-256 {row['sha256']}")
    return "\n  ".join([*lines, *row["to_do"], row["source"]])
