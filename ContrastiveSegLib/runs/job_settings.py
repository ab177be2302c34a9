"""One dataclass per job: every setting with its default, its allowed values, and its help under it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from ContrastiveSegLib.runs.rules import Flag, MayChange, MethodOf, Pattern, Positional, Range

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


@dataclass(frozen=True, kw_only=True)
class CheckSettings:
    """Show device, versions and memory, and take one real training step."""

    compute: Compute = field(default_factory=Compute)


@dataclass(frozen=True, kw_only=True)
class ScanSettings:
    """Show what is in a folder: cases, labels, spacing, and what was left out and why."""

    folder: Annotated[Path, Positional()]
    """Folder with images, and labels if there are any."""
    cases: CaseSelection = field(default_factory=CaseSelection)


@dataclass(frozen=True, kw_only=True)
class MethodsSettings:
    """List pre-training methods and fine-tuning strategies: kind, name and caption, separated by tabs."""


@dataclass(frozen=True, kw_only=True)
class PretrainSettings:
    """Learn from unlabeled volumes."""

    run: Run
    """Run folder; created if it is not there. An interrupted run is resumed by the same command."""
    images: Path
    """Folder with the volumes to learn from; labels in it serve only methods that ask for organ flags."""
    method: Annotated[str, MethodOf("pretraining")] = "pcl"
    """Pre-training method; its own settings become flags, shown by --method NAME --help."""
    organ_flags: Path | None = None
    """Which slices show the organ, for methods that ask: table (case,slice,organ) or folder with labels."""
    network: str = "unet"
    """Network to train, a name from the networks."""
    width: Width | None = None
    """Channels of the network's first level; empty: 32 as in the papers, 16 on a CPU."""
    epochs: Annotated[int, Range(1, 100_000)] = 100
    """Passes over the data."""
    steps: Steps | None = None
    """Training steps in all, instead of epochs."""
    batch: Batch | None = None
    """Slices or blocks per step; empty: from the method and the memory."""
    lr: Rate | None = None
    """Highest learning rate; empty: from the optimizer."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """adamw learns within hundreds of steps; sgd is that of the papers, for tens of thousands."""
    seed: Seed = 0
    """Seed of everything random."""
    save_every_min: Minutes = 5.0
    """Minutes between checkpoints; there is also one after every epoch."""
    grid: GridSettings = field(default_factory=GridSettings)
    cases: CaseSelection = field(default_factory=CaseSelection)
    compute: Compute = field(default_factory=Compute)
    options: dict[str, Any] = field(default_factory=dict)
    """The method's own settings."""


@dataclass(frozen=True, kw_only=True)
class FinetuneSettings:
    """Learn to segment from a few labeled volumes."""

    run: Run
    """Run folder; created if it is not there. Each set of settings and labels is a round of its own."""
    labeled: Path
    """Folder with labeled cases."""
    start: Annotated[str, Flag("from")] = ""
    """Weights to start from: empty for this run's pre-training, none for scratch, or another run folder."""
    strategy: Annotated[str, MethodOf("finetuning")] = "supervised"
    """Fine-tuning strategy; its own settings become flags, shown by --strategy NAME --help."""
    network: str = ""
    """Network to train; empty: the pre-trained one, from scratch the unet."""
    width: Width | None = None
    """Channels of the network's first level; empty: as pre-trained, from scratch 32, 16 on a CPU."""
    steps: Steps | None = None
    """Training steps; empty: from the amount of labeled data."""
    batch: Batch | None = None
    """Slices or blocks per step; empty: from the patch and the memory."""
    lr: Rate | None = None
    """Highest learning rate; empty: the strategy's own."""
    validation: Annotated[float, Range(0, 0.5)] | None = None
    """Share of the patients kept aside to choose the best checkpoint; empty: from the number of patients."""
    seed: Seed = 0
    """Seed of everything random."""
    save_every_min: Minutes = 5.0
    """Minutes between checkpoints; there is also one after every epoch."""
    grid: GridSettings = field(default_factory=GridSettings)
    cases: CaseSelection = field(default_factory=CaseSelection)
    compute: Compute = field(default_factory=Compute)
    options: dict[str, Any] = field(default_factory=dict)
    """The strategy's own settings."""


@dataclass(frozen=True, kw_only=True)
class PredictSettings:
    """Segment volumes with a fine-tuned network, each on its own grid."""

    run: Run
    """Run folder with a finished fine-tuning."""
    images: Path
    """Folder with the volumes to segment."""
    output: Path | None = None
    """Folder for the predictions; empty: predictions in the run folder."""
    round: Annotated[int, Range(1, 9999)] | None = None
    """Round of fine-tuning to use; empty: the last finished one."""
    format: Literal["seg.nrrd", "nii.gz"] = "seg.nrrd"
    """File format of the labels; seg.nrrd keeps names and colors for 3D Slicer."""
    mirror: Literal["auto", "yes", "no"] = "auto"
    """Average over mirrored copies: better, four times slower; auto: if the network learned mirrored ones."""
    uncertainty: bool = True
    """Write a map of the network's uncertainty (entropy, 0 to 1) beside each prediction."""
    overwrite: bool = False
    """Replace predictions that are already there."""
    cases: CaseSelection = field(default_factory=CaseSelection)
    compute: Compute = field(default_factory=Compute)


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings:
    """Compare predictions with labels: Dice, distances in mm and volumes, per case and structure."""

    predictions: Path
    """Folder with predicted labels."""
    labels: Path
    """Folder with the true labels of the same cases."""
    output: Path | None = None
    """CSV file for the table; empty: the table is only shown."""
    overwrite: bool = False
    """Replace a table that is already there."""
    cases: CaseSelection = field(default_factory=CaseSelection)


@dataclass(frozen=True, kw_only=True)
class DemoSettings:
    """Run the whole story: pre-train, fine-tune, predict, and compare with training from scratch."""

    data: Path | None = None
    """Folder with your own data, some of it labeled; empty: generated phantoms."""
    dataset: str = ""
    """Task of the Medical Segmentation Decathlon to download instead, such as hippocampus."""
    folder: Path = Path("demo")
    """Folder for runs, predictions and pictures."""
    method: Annotated[str, MethodOf("pretraining")] = "supercl"
    """Pre-training method."""
    pretrain_steps: Steps | None = 300
    """Training steps of pre-training; empty: as the pre-training chooses."""
    finetune_steps: Steps | None = 400
    """Training steps of each fine-tuning; empty: as the fine-tuning chooses."""
    seed: Seed = 0
    """Seed of everything random."""
    cases: CaseSelection = field(default_factory=CaseSelection)
    compute: Compute = field(default_factory=Compute)


# The verbs of the command line, in the order of a user's work; each is a file in jobs/.
JOBS: dict[str, type] = {
    "check": CheckSettings,
    "scan": ScanSettings,
    "methods": MethodsSettings,
    "pretrain": PretrainSettings,
    "finetune": FinetuneSettings,
    "predict": PredictSettings,
    "evaluate": EvaluateSettings,
    "demo": DemoSettings,
}
