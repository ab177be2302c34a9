"""DICOM series in a folder: which are images, what they are called, and which labels belong to them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ContrastiveSegLib.file_io.dicom import DicomSeries
from ContrastiveSegLib.file_io.dicom_elements import CONTOURS, SEGMENTATION, Reference, drawn_on
from ContrastiveSegLib.imaging.case_errors import attempt

NOT_IMAGES = {
    SEGMENTATION: "a segmentation",
    CONTOURS: "contours",
    "RTDOSE": "a dose",
    "SR": "a report",
    "PR": "a view",
}
LABELS = (SEGMENTATION, CONTOURS)


def may_be_dicom(name: str) -> bool:
    """Scanners write .dcm, .IMA, no suffix at all, or a UID such as 1.2.840.113619."""
    suffix = name.rpartition(".")[2].lower()
    return "." not in name or suffix in ("dcm", "ima", "dicom") or suffix.isdigit()


def why_no_image(series: DicomSeries) -> str:
    """What a series is instead of an image; "" for images."""
    if series.modality not in NOT_IMAGES:
        return ""
    return f"a DICOM series with {NOT_IMAGES[series.modality]} ({series.modality}), not an image"


def labels_drawn_on(path: Path) -> Reference | None:
    """What a file with labels was drawn on; None for other files, and where it names no series."""
    known, _ = attempt(str(path), drawn_on, path)
    return known if known and known.series and known.modality in LABELS else None


def series_names(folder: str, found: Sequence[DicomSeries]) -> list[str]:
    """The folder's name for its only series; several are told apart by description, then by number."""
    if len(found) == 1:
        return [folder]
    names: list[str] = []
    for series in found:
        description = re.sub(r"\W+", "_", series.description).strip("_") or "series"
        name = f"{folder}_{description}"
        names.append(name if name not in names else f"{name}_{len(names) + 1}")
    return names
