"""What a job left to the data and the machine: decided at its first start, checked at every other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from ContrastiveSegLib.errors import BadCheckpoint, BadSetting
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.settings.rules import Range
from ContrastiveSegLib.settings.schema import from_dict, to_dict
from ContrastiveSegLib.settings.shared_settings import BaseChannels, Batch, Rate

# More than may be asked for: epochs times the slices of a large data set.
Steps = Annotated[int, Range(1, 1_000_000_000)]


@dataclass(frozen=True, kw_only=True)
class Decided:
    """Of a pre-training."""

    grid: WorkingGrid
    base_channels: BaseChannels
    batch: Batch
    epoch: Steps
    steps: Steps
    lr: Rate
    precision: Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True, kw_only=True)
class DecidedForFinetuning(Decided):
    """Of a round of fine-tuning."""

    intensities: Intensities
    network: str


def decide(
    folder: RunFolder, job: str, make: Callable[[], dict[str, Any]], *, round_number: int = 0
) -> dict[str, Any]:
    """What was decided at the first start of a job, or is decided now and written down.

    Raises:
        BadCheckpoint: What is written there was damaged or changed, and cannot be gone on with.
        BadSetting: What was asked for does not fit the data.
    """
    kind = DecidedForFinetuning if job == "finetune" else Decided
    path = folder.settings_of(round_number)
    written = folder.decide(job, make, round_number=round_number)  # what `make` refuses is no damage
    try:
        return to_dict(from_dict(kind, written))
    except BadSetting as error:
        raise BadCheckpoint(
            f'What {path} says under "decided" was damaged or changed, and this job cannot go on with it. '
            f"{error.what}",
            'Delete the entry "decided" there, so that it is decided again, or begin a new run folder.',
        ) from error
