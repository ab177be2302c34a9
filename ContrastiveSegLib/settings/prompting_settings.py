"""Settings of the jobs that ask a promptable model: models, refine, propagate."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from ContrastiveSegLib.settings.rules import (
    Formerly,
    IsFile,
    IsFolder,
    Label,
    MayChange,
    Pattern,
    Positional,
    Range,
)
from ContrastiveSegLib.settings.shared_settings import CaseSelection, Compute

Pixels = Annotated[int, Range(0, 1000)]
Share = Annotated[float, Range(0, 1)]
Checksum = Annotated[str, Pattern(r"([0-9a-fA-F]{64})?", "64 letters and digits (SHA-256)")]


@dataclass(frozen=True, kw_only=True)
class PromptableSettings:
    """Which promptable model, with which weights."""

    model: str = "auto"
    """Family of the model, a name from the list of models; auto: that of the checkpoint, else lite_medsam."""
    checkpoint: Path | None = None
    """File or folder with the weights; empty: those of an installed package. Nothing is downloaded."""
    checksum: Checksum = ""
    """SHA-256 that the weights must have; empty: any."""


@dataclass(frozen=True, kw_only=True)
class GrayValues:
    """How the gray values of an image become those of a photograph."""

    modality: Literal["auto", "ct", "other"] = "auto"
    """ct by a fixed window, other by percentiles of the volume, auto by its values."""
    window: tuple[float, float] | None = None
    """Lowest and highest gray value; values beyond are cut; empty: from the modality."""
    channel: Annotated[int, Range(1, 1000)] = 1
    """Channel that the model sees, counted from 1."""


@dataclass(frozen=True, kw_only=True)
class ModelsSettings:
    """List the promptable models: which are usable here, their licenses, and how to get the others."""

    checkpoint: Path | None = None
    """Say what this file or folder with weights is."""
    json: bool = False
    """Print the list as JSON, for programs."""


@dataclass(frozen=True, kw_only=True)
class RefineSettings:
    """Improve predicted structures with a promptable model; what would change too much stays as it was."""

    run: Annotated[Path, Positional(), IsFolder(), MayChange()] | None = None
    """Run folder with the predictions to refine; empty: give --predictions."""
    images: Path
    """Folder with the images of the predictions."""
    predictions: Path | None = None
    """Folder with <case>.seg.nrrd or other label files; empty: predictions in the run folder."""
    output: Annotated[Path, IsFolder()] | None = None
    """Folder for the refined labels; empty: a folder beside the predictions whose name ends with _refined."""
    padding: Pixels = 3
    """How many pixels a box is larger than its structure, on each side, where the model gets only a box."""
    passes: Annotated[int, Range(1, 3)] = 1
    """How often the model is asked; from the second time on it also sees its own answer. Twice helps coarse
    outlines and may harm good ones."""
    acceptance: Annotated[Share, Formerly("gate")] = 0.5
    """Smallest overlap (intersection over union) of the new outline with the old one; 0: all."""
    smallest_component: Annotated[Pixels, Formerly("smallest")] = 20
    """The model is not asked for connected components with fewer pixels in a slice."""
    slice_consistency: Annotated[bool, Formerly("steady"), Label("inter-slice consistency")] = True
    """Where outlines differ much from slice to slice, the neighboring slices and the
    gray values of the volume correct them first; what would change too much stays as it was."""
    overwrite: Annotated[bool, Label("replace what is there")] = False
    """Replace refined labels that are already there."""
    promptable: PromptableSettings = field(default_factory=PromptableSettings)
    gray: GrayValues = field(default_factory=GrayValues)
    cases: CaseSelection = field(default_factory=CaseSelection)
    compute: Compute = field(default_factory=Compute)


@dataclass(frozen=True, kw_only=True)
class PropagateSettings:
    """Carry one annotated slice through its volume, both ways, until the structures end."""

    image: Path
    """The volume."""
    annotation: Path
    """Labels on the grid of the volume, one slice annotated."""
    slice: Annotated[int, Range(0, 100_000)] | None = None
    """The annotated slice, counted from 0 as in 3D Slicer; empty: the only one."""
    plane: Literal["auto", "axial", "coronal", "sagittal"] = "auto"
    """Plane of the annotated slice; auto: from the annotation, else as the volume was scanned."""
    output: Annotated[Path, IsFile()] | None = None
    """File for the result; empty: the name of the annotation with _propagated behind it."""
    run: Annotated[Path, IsFolder(), MayChange()] | None = None
    """Run folder that receives the events with the progress, for programs; empty: none."""
    padding: Pixels = 3
    """How many pixels a box is larger than the expected structure, on each side. Only models for medical
    images get a box alone."""
    overwrite: Annotated[bool, Label("replace what is there")] = False
    """Replace a result that is already there."""
    promptable: PromptableSettings = field(default_factory=PromptableSettings)
    gray: GrayValues = field(default_factory=GrayValues)
    compute: Compute = field(default_factory=Compute)
