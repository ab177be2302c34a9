"""Settings of the jobs that look through a folder of images and learn nothing from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from ContrastiveSegLib.settings.rules import IsFolder, Positional
from ContrastiveSegLib.settings.shared_settings import CaseSelection


@dataclass(frozen=True, kw_only=True)
class ScanSettings:
    """Show what is in a folder: cases, labels, spacing, and what was left out and why."""

    folder: Annotated[Path, Positional()]
    """Folder with images, and labels if there are any."""
    cases: CaseSelection = field(default_factory=CaseSelection)


@dataclass(frozen=True, kw_only=True)
class StraightenSettings:
    """Resample series of a tilted gantry, and their labels, so that slices are stacked straight."""

    folder: Annotated[Path, Positional()]
    """Folder with DICOM series, and labels if there are any."""
    output: Annotated[Path, IsFolder()]
    """Folder for the straight images and labels; it must be new or empty."""
    cases: CaseSelection = field(default_factory=CaseSelection)
