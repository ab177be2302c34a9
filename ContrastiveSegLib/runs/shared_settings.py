"""What the settings of several jobs have in common: cases, computer, working grid, and kinds of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from ContrastiveSegLib.runs.rules import MayChange, Pattern, Positional, Range

Run = Annotated[Path, Positional(), MayChange()]
Steps = Annotated[int, Range(1, 10_000_000)]
Batch = Annotated[int, Range(1, 4096)]
Rate = Annotated[float, Range(1e-8, 10)]
Seed = Annotated[int, Range(0, 2**31 - 1)]
Minutes = Annotated[float, Range(0.01, 1440)]
Width = Annotated[int, Range(4, 512)]
Devices = Pattern(r"auto|cpu|cuda(:\d+)?|mps", "'auto', 'cpu', 'cuda', 'cuda:0' (or another number) or 'mps'")
Device = Annotated[str, Devices, MayChange()]


@dataclass(frozen=True, kw_only=True)
class CaseSelection:
    """Which of the cases in a folder take part."""

    only: tuple[str, ...] = ()
    """Only cases whose name or patient matches one of these patterns, such as 'patient0*'."""
    leave_out: tuple[str, ...] = ()
    """No cases whose name or patient matches one of these patterns."""
    patient_pattern: str = ""
    """Regular expression with one group that finds the patient in a case's name; empty: recognized."""


@dataclass(frozen=True, kw_only=True)
class Compute:
    """What the job runs on."""

    device: Device = "auto"
    """Where to compute: auto, cpu, cuda, cuda:N or mps; auto takes the fastest there is."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Number format of the network's activations; auto: what pays on the device."""
    threads: Annotated[int, Range(1, 1024), MayChange()] | None = None
    """CPU threads; empty: as many as the machine offers."""


@dataclass(frozen=True, kw_only=True)
class GridSettings:
    """The working grid and gray values that every volume is brought to."""

    spatial_dims: Literal[2, 3] = 2
    """Learn from slices (2) or from blocks (3)."""
    spacing: Annotated[float, Range(0.01, 100)] | None = None
    """In-plane spacing in mm; empty: the median of the data."""
    plane: Literal["auto", "axial", "coronal", "sagittal"] = "auto"
    """Plane of the slices where voxels are nearly cubes; elsewhere a case is cut along its coarsest axis."""
    patch: tuple[Annotated[int, Range(1, 4096)], ...] | None = None
    """What the network sees, in voxels: height width, in 3D slices height width; empty: from the data."""
    modality: Literal["auto", "ct", "other"] = "auto"
    """How gray values are scaled: ct by a fixed window, other by percentiles per case, auto by the data."""
    window: tuple[float, float] | None = None
    """Lowest and highest gray value that count; empty: from the modality."""
