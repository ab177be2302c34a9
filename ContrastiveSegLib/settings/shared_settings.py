"""What the settings of several jobs have in common: cases, computer, working grid, and kinds of numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from ContrastiveSegLib.settings.rules import Formerly, IsFolder, Label, MayChange, Pattern, Positional, Range

Run = Annotated[Path, Positional(), IsFolder(), MayChange()]
Steps = Annotated[int, Range(1, 10_000_000), Label("training steps")]
Batch = Annotated[int, Range(1, 4096), Label("batch size", "images")]
Rate = Annotated[float, Range(1e-8, 10), Label("learning rate")]
Seed = Annotated[int, Range(0, 2**31 - 1), Label("random seed")]
Minutes = Annotated[float, Range(0.01, 1440), Label("time between checkpoints", "min")]
BaseChannels = Annotated[int, Range(4, 512), Formerly("width"), Label("base channels")]
PreparedFolder = Annotated[Path, IsFolder(), MayChange(), Label("folder of prepared scans")]
Devices = Pattern(r"auto|cpu|cuda(:\d+)?|mps", "'auto', 'cpu', 'cuda', 'cuda:0' (or another number) or 'mps'")
Device = Annotated[str, Devices, MayChange()]


@dataclass(frozen=True, kw_only=True)
class CaseSelection:
    """Which of the cases in a folder take part."""

    only: Annotated[tuple[str, ...], Label("only these cases")] = ()
    """Only cases whose name or patient matches one of these patterns, such as 'patient0*'."""
    leave_out: Annotated[tuple[str, ...], Label("leave out cases")] = ()
    """No cases whose name or patient matches one of these patterns."""
    patient_pattern: Annotated[str, Label("patient in the name", "pattern")] = ""
    """Regular expression with one group that finds the patient in a case's name; empty: recognized."""


@dataclass(frozen=True, kw_only=True)
class Compute:
    """What the job runs on."""

    device: Annotated[Device, Label("device")] = "auto"
    """Where to compute: auto, cpu, cuda, cuda:N or mps; auto takes the fastest there is."""
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        Label("precision", choices=("automatic", "float32", "bfloat16", "float16")),
    ] = "auto"
    """Number format inside the network; auto: what is fast on the device."""
    threads: Annotated[int, Range(1, 1024), MayChange(), Label("CPU threads")] | None = None
    """CPU threads; empty: as many as the machine offers, in the panel one less."""


@dataclass(frozen=True, kw_only=True)
class GridSettings:
    """The working grid and gray values that every volume is brought to."""

    spatial_dims: Annotated[Literal[2, 3], Label("learn from", choices=("slices (2D)", "blocks (3D)"))] = 2
    """Learn from slices (2) or from blocks (3)."""
    spacing: Annotated[float, Range(0.01, 100), Label("in-plane spacing", "mm")] | None = None
    """In-plane spacing in mm; empty: the median of the data."""
    plane: Annotated[
        Literal["auto", "axial", "coronal", "sagittal"],
        Label("plane of the slices", choices=("automatic", "axial", "coronal", "sagittal")),
    ] = "auto"
    """Plane of the slices of cases with nearly cubic voxels; others are cut along their coarsest axis."""
    patch: Annotated[tuple[Annotated[int, Range(1, 4096)], ...], Label("patch size", "voxels")] | None = None
    """Size of a patch in voxels: height width; in 3D: slices height width; empty: from the data."""
    modality: Annotated[
        Literal["auto", "ct", "other"], Label("modality", choices=("automatic", "CT", "other"))
    ] = "auto"
    """How gray values are scaled; ct: a fixed window; other: percentiles of each case; auto: by the data."""
    window: Annotated[tuple[float, float], Label("gray value window", "lowest highest")] | None = None
    """Lowest and highest gray value; values beyond are cut; empty: from the modality."""


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """The settings of every training, whatever it learns."""

    seed: Seed = 0
    """Seed of all random numbers."""
    save_every_min: Minutes = 5.0
    """Minutes between checkpoints; there is also one after every epoch."""
    prepared: PreparedFolder | None = None
    """Folder for prepared scans, such as a fast disk; several runs may share it. Empty: in the run folder."""
    grid: GridSettings = field(default_factory=GridSettings)
    cases: CaseSelection = field(default_factory=CaseSelection)
    compute: Compute = field(default_factory=Compute)
    options: dict[str, Any] = field(default_factory=dict)
    """The own settings of the method or strategy."""
