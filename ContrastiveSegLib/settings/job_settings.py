"""One dataclass per job: every setting with its default, its allowed values, and its help under it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from ContrastiveSegLib.registry import ENGINE, list_entries
from ContrastiveSegLib.settings.folder_settings import ScanSettings, StraightenSettings
from ContrastiveSegLib.settings.prompting_settings import ModelsSettings, PropagateSettings, RefineSettings
from ContrastiveSegLib.settings.rules import (
    Flag,
    Formerly,
    IsFile,
    IsFolder,
    Label,
    MayChange,
    MethodOf,
    NetworkName,
    Range,
)
from ContrastiveSegLib.settings.shared_settings import (
    BaseChannels,
    Batch,
    CaseSelection,
    Compute,
    GridSettings,
    PreparedFolder,
    Rate,
    Run,
    Seed,
    Steps,
    TrainingSettings,
)

# The settings that several jobs share are reached through this file too.
__all__ = [
    "JOBS",
    "CaseSelection",
    "CheckSettings",
    "Compute",
    "DemoSettings",
    "EvaluateSettings",
    "ExportSettings",
    "FinetuneSettings",
    "GridSettings",
    "MethodsSettings",
    "ModelsSettings",
    "PredictSettings",
    "PretrainSettings",
    "PropagateSettings",
    "RefineSettings",
    "ScanSettings",
    "StraightenSettings",
]


@dataclass(frozen=True, kw_only=True)
class CheckSettings:
    """Show device, versions and memory, and take one real training step."""

    output: Annotated[Path, IsFile()] | None = None
    """JSON file to write the same facts to; empty: they are only printed."""
    compute: Compute = field(default_factory=Compute)


@dataclass(frozen=True, kw_only=True)
class MethodsSettings:
    """List pre-training methods and fine-tuning strategies, the recommended ones first."""


@dataclass(frozen=True, kw_only=True)
class _WhatToPretrain:
    run: Run
    """Run folder; created if it is not there. An interrupted run is resumed by starting it again."""
    images: Path
    """Folder with the volumes to learn from; only methods that need slice-level labels use labels in it."""
    method: Annotated[str, MethodOf("pretraining")] = "supercl"
    """Pre-training method; its own settings become flags: see --method NAME --help."""
    slice_labels: Annotated[Path, Formerly("organ_flags"), Label("table of slices with the organ")] | None = (
        None
    )
    """Slice-level labels, for methods that need them: a table (case,slice,organ) or a folder with labels."""
    network: Annotated[str, NetworkName(), Label("network")] = "unet"
    """Network to train."""
    base_channels: BaseChannels | None = None
    """Base channels, of the network's first level; empty: 32 as in the papers, 24 on a CPU."""
    epochs: Annotated[int, Range(1, 100_000), Label("passes over the data")] = 100
    """Epochs: passes over all volumes."""
    steps: Steps | None = None
    """Training steps in all, instead of epochs."""
    batch: Batch | None = None
    """Slices or blocks per step; empty: 32. Where memory is too small, the batch is halved."""
    lr: Rate | None = None
    """Highest learning rate; empty: the default of the optimizer."""
    optimizer: Annotated[Literal["adamw", "sgd"], Label("optimizer", choices=("AdamW", "SGD"))] = "adamw"
    """adamw learns within hundreds of steps; sgd, as in the papers, needs tens of thousands."""
    plan: Annotated[bool, MayChange(), Label("plan only")] = False
    """Train nothing; print as JSON what would be learned and how long it takes, by steps on two cases."""


@dataclass(frozen=True, kw_only=True)
class PretrainSettings(TrainingSettings, _WhatToPretrain):
    """Learn from unlabeled volumes."""


@dataclass(frozen=True, kw_only=True)
class SuggestSettings:
    """Name the cases and slices to annotate next: typical of many others, or uncertain for a first model."""

    run: Run
    """Run folder with a pre-trained model; after a first fine-tuning its uncertainty counts too."""
    images: Path
    """Folder with the volumes to choose from; labels in it are not used."""
    labeled: Path | None = None
    """Folder with cases that are annotated already; those of the latest round are known without it."""
    count: Annotated[int, Range(1, 10_000), Label("how many")] | None = None
    """How many cases, and how many slices; empty: 5, or as many as there are."""
    kind: Annotated[Literal["both", "cases", "slices"], Label("what to suggest")] = "both"
    """What to suggest."""
    strategy: Literal["coverage", "typicality", "k_center"] = "typicality"
    """coverage: similar to as many slices as possible; typicality: typical of large groups of similar slices;
    k_center: different from all that is chosen."""
    output: Annotated[Path, IsFolder()] | None = None
    """Folder for table and picture; empty: the run folder. Earlier suggestions there are replaced."""
    prepared: PreparedFolder | None = None
    """Folder for prepared scans, as in pre-training; empty: in the run folder."""
    seed: Seed = 0
    """Seed of all random numbers."""
    cases: CaseSelection = field(default_factory=CaseSelection)
    compute: Compute = field(default_factory=Compute)


@dataclass(frozen=True, kw_only=True)
class _WhatToFinetune:
    run: Run
    """Run folder; created if it is not there. Each set of settings and labels is a round of its own."""
    labeled: Path
    """Folder with annotated cases: labels, some annotated slices, or scribbles beside the images."""
    annotation: Annotated[
        Literal["auto", "cases", "slices", "scribbles"],
        Label(
            "kind of annotation", choices=("as each case shows", "whole cases", "some slices", "scribbles")
        ),
    ] = "auto"
    """What was annotated: whole cases, some slices, or scribbles; auto: recognized for each case."""
    outside_is_background: Annotated[
        bool, Formerly("outlined"), Label("background outside of closed lines")
    ] = False
    """For scribbles: everything outside of a closed line of painted background is background."""
    annotated_slices: Annotated[Path, IsFile(), Label("table of annotated slices")] | None = None
    """Table (case,slice): only these slices count as annotated, also where they are empty."""
    extra_labeled: Annotated[Path, IsFolder(), Formerly("also"), Label("further annotations")] | None = None
    """Folder with further annotations that count less, such as propagated ones; also of the same cases."""
    labeled_weight: Annotated[
        int, Range(1, 100), Formerly("favored"), Label("weight of the own annotations")
    ] = 2
    """How often a slice of --labeled is drawn, compared with one of --extra-labeled."""
    unlabeled: Annotated[str, Label("scans without annotation")] = ""
    """Folder with scans to learn from without annotation; empty: those of pre-training; none: no scans."""
    start: Annotated[str, Flag("from"), Label("start from")] = ""
    """Weights to start from; empty: this run's pre-training; none: from scratch; or another run folder, or a
    file of nnU-Net, nnssl, MONAI or VoCo."""
    strategy: Annotated[str, MethodOf("finetuning")] = "self_training"
    """Fine-tuning strategy; its own settings become flags: see --strategy NAME --help."""
    network: Annotated[str, NetworkName(), Label("network")] = ""
    """Network to train; empty: the pre-trained one; from scratch: unet."""
    base_channels: BaseChannels | None = None
    """Base channels, of the network's first level; empty: as pre-trained; from scratch: 32, on a CPU 24."""
    steps: Steps | None = None
    """Training steps; empty: from the amount of labeled data."""
    batch: Batch | None = None
    """Slices or blocks per step; empty: from the patch and the memory."""
    lr: Rate | None = None
    """Highest learning rate; empty: the strategy's own."""
    validation: Annotated[float, Range(0, 0.5), Label("validation patients", "share")] | None = None
    """Share of the patients held out to choose the best checkpoint; empty: 0.2 of ten or more patients."""
    plan: Annotated[bool, MayChange(), Label("plan only")] = False
    """Train nothing; print as JSON what would be learned and how long it takes, by steps on a few cases."""


@dataclass(frozen=True, kw_only=True)
class FinetuneSettings(TrainingSettings, _WhatToFinetune):
    """Learn to segment from a few labeled volumes."""


@dataclass(frozen=True, kw_only=True)
class PredictSettings:
    """Segment volumes with a fine-tuned network, each on its own grid."""

    run: Run
    """Run folder with a finished fine-tuning."""
    images: Path
    """Folder with the volumes to segment."""
    output: Annotated[Path, IsFolder()] | None = None
    """Folder for the predictions; empty: predictions in the run folder."""
    round: Annotated[int, Range(1, 9999)] | None = None
    """Round of fine-tuning to use; empty: the last finished one."""
    format: Literal["seg.nrrd", "nii.gz"] = "seg.nrrd"
    """File format of the labels; seg.nrrd keeps names and colors for 3D Slicer."""
    mirror: Literal["auto", "yes", "no"] = "auto"
    """Average over mirrored copies, four times slower; auto: if the network learned from mirrored patches."""
    components: Annotated[Literal["auto", "each", "together", "no"], Formerly("pieces")] = "auto"
    """each: keep one connected component of each structure; together: first one of all structures together,
    then one of each; auto: of structures that are one component in every annotation; no: keep all."""
    intensity_refinement: Annotated[bool, Formerly("gray_correction")] = True
    """The gray values of each volume correct its own prediction near the structures."""
    uncertainty: bool = True
    """Write a map of the network's uncertainty (entropy, 0 to 1) beside each prediction."""
    overwrite: Annotated[bool, Label("replace what is there")] = False
    """Replace predictions that are already there."""
    cases: CaseSelection = field(default_factory=CaseSelection)
    compute: Compute = field(default_factory=Compute)


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings:
    """Compare predictions with labels: Dice, distances in mm and volumes, per case and structure."""

    predictions: Path
    """Folder with predicted labels."""
    labels: Annotated[Path, IsFolder(), Label("true labels")]
    """Folder with the true labels of the same cases."""
    output: Annotated[Path, IsFile()] | None = None
    """CSV file for the table; empty: the table is only shown."""
    overwrite: Annotated[bool, Label("replace what is there")] = False
    """Replace a table that is already there."""
    cases: CaseSelection = field(default_factory=CaseSelection)


@dataclass(frozen=True, kw_only=True)
class ExportSettings:
    """Export a run: its network, annotated cases or predictions for other programs, or all as one file."""

    run: Run
    """Run folder; it is only read."""
    to: Annotated[
        Literal["zip", "nnunet-raw", "dicom-seg", "monai-bundle", "nnssl"],
        Label("format", choices=("zip file", "raw data of nnU-Net", "DICOM SEG", "MONAI bundle", "nnssl")),
    ] = "zip"
    """zip: all of the run, for this program elsewhere; nnunet-raw: the annotated cases, for nnU-Net 2;
    dicom-seg: the predictions of DICOM series, for archives and viewers; monai-bundle: the fine-tuned network
    with all that prediction needs, for MONAI; nnssl: the pre-trained network, for nnU-Net."""
    output: Path
    """Where to write: for zip a new file, for nnunet-raw a folder such as nnUNet_raw, for nnssl a new file,
    else a folder."""
    torchscript: Annotated[bool, Label("bare network as TorchScript")] = False
    """For monai-bundle: add the bare network as TorchScript (models/model.ts)."""
    onnx: Annotated[bool, Label("bare network as ONNX")] = False
    """For monai-bundle: add the bare network as ONNX (models/model.onnx)."""


@dataclass(frozen=True, kw_only=True)
class DemoSettings:
    """Show all steps: pre-train, fine-tune, predict, and compare with training from scratch."""

    data: Path | None = None
    """Folder with your own data, some of it labeled; empty: generated phantoms."""
    dataset: str = ""
    """Task of the Medical Segmentation Decathlon to download instead, such as hippocampus."""
    folder: Annotated[Path, IsFolder()] = Path("demo")
    """Folder for runs, predictions and pictures."""
    method: Annotated[str, MethodOf("pretraining")] = "supercl"
    """Pre-training method."""
    pretrain_steps: Steps | None = 150
    """Training steps of the pre-training; empty: its own default."""
    finetune_steps: Steps | None = 300
    """Training steps of each fine-tuning; empty: its own default."""
    seed: Seed = 0
    """Seed of all random numbers."""
    cases: CaseSelection = field(default_factory=CaseSelection)
    compute: Compute = field(default_factory=Compute)


# The order of a user's work, for lists; a job that is not named here comes after those that are.
_ORDER = (
    "check", "scan", "straighten", "methods", "pretrain", "suggest", "finetune", "predict", "evaluate",
    "models", "refine", "propagate", "export", "demo",
)  # fmt: skip


def _settings_by_job() -> dict[str, type]:
    """Each file in jobs/ is a verb of the command line; its settings are the class named after it."""
    names = [entry.name for entry in list_entries(ENGINE / "jobs")]
    names.sort(key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))
    return {name: globals()[f"{name.capitalize()}Settings"] for name in names}


JOBS = _settings_by_job()
