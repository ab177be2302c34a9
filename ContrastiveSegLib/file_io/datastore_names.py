"""Names of label values that MONAI Label keeps in its datastore, two folders above the labels.

Source: monailabel, datastore/local.py, and what its module for 3D Slicer sends along with labels.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.dicom_segmentation import unique_names
from ContrastiveSegLib.file_io.file_names import split_suffix
from ContrastiveSegLib.imaging.colors import distinct_color
from ContrastiveSegLib.imaging.labels import LabelTable, Structure

CORRECTED = "final"  # the folder of what a person saved
DATASTORE = "datastore_v2.json"


def names_in_datastore(path: Path) -> LabelTable | None:
    """The structures of a label map that a person saved in MONAI Label; None if they were not sent along.

    Raises:
        BadFile: The datastore cannot be understood.
    """
    datastore = path.parent.parent.parent / DATASTORE
    if path.parent.name != CORRECTED or not datastore.is_file():
        return None
    try:
        said = json.loads(datastore.read_text(encoding="utf-8"))
        label = said.get("objects", {}).get(split_suffix(path.name)[0], {}).get("labels", {}).get(CORRECTED)
        segments = ((label or {}).get("info") or {}).get("label_info") or []
        return _table(segments)
    except (OSError, AttributeError, RecursionError, TypeError, ValueError) as error:
        raise BadFile(
            f"{datastore} does not say what the label values are called: {error}.",
            "Let MONAI Label write it again, or remove it; the structures are then numbered.",
        ) from error


def _table(segments: list[dict[str, Any]]) -> LabelTable | None:
    """Its module counts all segments, 3D Slicer those that it saves: names are sure where both agree."""
    numbers = list(range(1, len(segments) + 1))
    if not segments or [segment.get("idx") for segment in segments] != numbers:
        return None
    names = unique_names(
        [str(segment.get("name") or f"structure {n}") for n, segment in zip(numbers, segments, strict=True)]
    )
    return LabelTable(
        tuple(Structure(n, name, distinct_color(n)) for n, name in zip(numbers, names, strict=True))
    )
