"""The promise each format keeps: `export()` writes a run in its form, and says what it wrote."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ContrastiveSegLib.imaging.case_errors import LostCases


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
