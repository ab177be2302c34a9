"""Raw data of nnU-Net 2: the annotated cases of a run, with the label "ignore" where nothing was annotated.

Source: nnU-Net, documentation/dataset_format.md and documentation/ignore_label.md (version 2).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.dataset.annotations import annotated_voxels, annotation_file, read_annotation_mask
from ContrastiveSegLib.dataset.cases import Case
from ContrastiveSegLib.dataset.dataset_json import DATASET_FILE
from ContrastiveSegLib.errors import BadFile, BadFolder, CannotWrite
from ContrastiveSegLib.exporting._format import Exported, write_each
from ContrastiveSegLib.file_io.files import read_image, write_image, write_labels
from ContrastiveSegLib.imaging.case_errors import LostCases
from ContrastiveSegLib.imaging.grid import derive_grid
from ContrastiveSegLib.imaging.hounsfield import modality_of
from ContrastiveSegLib.imaging.label_values import IGNORE
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.preprocessing.prepared_cache import collect_table
from ContrastiveSegLib.runs.atomic_write import make_folder, write_json
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.session.reporter import Reporter
from ContrastiveSegLib.settings.job_settings import ExportSettings, FinetuneSettings
from ContrastiveSegLib.training.annotation_checks import listed_slices
from ContrastiveSegLib.training.data import Found, find_readable_cases

DATASET = re.compile(r"Dataset\d{3}_.+")
FIRST_NUMBER = 100  # nnU-Net leaves the numbers below to the Decathlon
SUFFIX = ".nii.gz"


@dataclass(frozen=True)
class _Task:
    """What is the same for all cases.

    Args:
        slices: The slices of each case that count as annotated; None: as the files show.
        table: Structures with values from 1 on, as nnU-Net demands.
    """

    folder: Path
    settings: FinetuneSettings
    slices: Mapping[str, tuple[int, ...]] | None
    plane: str
    table: LabelTable

    @property
    def ignored(self) -> int:
        """nnU-Net demands the highest value for it."""
        return len(self.table.structures) + 1


@dataclass(frozen=True)
class _Written:
    """A case that was written: how many channels, whether they are CT, whether voxels are unknown."""

    channels: int
    is_ct: bool
    has_unknown: bool


def export(run: RunFolder, settings: ExportSettings, reporter: Reporter) -> Exported:
    """Write the cases that the latest fine-tuning learned from; of several kinds of annotation alike.

    The output is named DatasetNNN_NAME, or is the folder in which such a folder is made (nnUNet_raw).

    Raises:
        BadFolder: Nothing is annotated, or not one case can be used.
        CannotWrite: The folder has files already, or the disk refuses.
    """
    asked = _settings_of(run)
    found = find_readable_cases(asked.labeled, asked.cases)
    table = _from_one_on(collect_table(found.cases, found.listing.table, asked.annotation))
    task = _Task(
        _folder(settings.output, run.path.resolve().name),
        asked,
        listed_slices(found, asked),
        derive_grid(found.geometries, plane=asked.grid.plane).plane,
        table,
    )
    written, lost = _write_cases(task, found, reporter)
    # Last, because nnU-Net reads no folder without it.
    write_json(task.folder / DATASET_FILE, _dataset(task, written))
    words = (
        f"{len(written)} annotated cases are in {task.folder}. Next: nnUNetv2_plan_and_preprocess "
        f"-d {int(task.folder.name[7:10])} --verify_dataset_integrity"
    )
    return Exported(task.folder, words, lost)


def _settings_of(run: RunFolder) -> FinetuneSettings:
    """What the latest fine-tuning was asked; before there is one, the annotations in the run folder."""
    if rounds := run.finetune_rounds():
        return run.read_settings("finetune", FinetuneSettings, round_number=rounds[-1])
    if run.annotations.is_dir():
        return FinetuneSettings(run=run.path, labeled=run.annotations)
    raise BadFolder(
        f"Nothing is annotated in {run.path}, and nothing was fine-tuned there.",
        "Annotate some cases, or fine-tune with --labeled first.",
    )


def _from_one_on(table: LabelTable) -> LabelTable:
    return LabelTable(
        tuple(
            Structure(value, structure.name, structure.color, structure.terminology)
            for value, structure in enumerate(table.structures, start=1)
        )
    )


def _folder(output: Path, name: str) -> Path:
    """The folder of the data set.

    Raises:
        CannotWrite: There are files in it.
    """
    if not DATASET.fullmatch(output.name):
        taken = {path.name[7:10] for path in output.glob("Dataset*")} if output.is_dir() else set()
        number = next(n for n in range(FIRST_NUMBER, 1000) if f"{n}" not in taken)
        output = output / f"Dataset{number}_{re.sub(r'[^A-Za-z0-9]+', '_', name).strip('_') or 'run'}"
    if output.exists() and any(output.iterdir()):
        raise CannotWrite(f"There are files in {output} already.", "Choose another folder.")
    return output


def _write_cases(task: _Task, found: Found, reporter: Reporter) -> tuple[list[_Written], LostCases]:
    drawn = [case for case in found.cases if annotation_file(case, task.settings.annotation)]
    drawn = [case for case in drawn if task.slices is None or case.name in task.slices]
    channels: list[int] = []

    def write(number: int) -> _Written:
        written = _write_case(drawn[number], task, channels[0] if channels else 0)
        channels.append(written.channels)
        return written

    return write_each([case.name for case in drawn], write, reporter)


def _write_case(case: Case, task: _Task, channels: int) -> _Written:
    """One file per channel, and the labels; the labels last, so that no half case is among them.

    Args:
        channels: Of the cases before; 0: there are none.
    """
    image = read_image(case.images, last_axis_is_channels=case.last_axis_is_channels).volume
    if channels not in (0, len(image.array)):
        raise BadFile(
            f"{case.images[0]} has {len(image.array)} channels, the cases before have {channels}.",
            "Give each case the same channels, or leave this one out.",
        )
    labels = _labels(case, task, image)
    folders = [task.folder / name for name in ("imagesTr", "labelsTr")]
    for folder in folders:
        make_folder(folder)
    for number, channel in enumerate(image.array):
        file = folders[0] / f"{case.name}_{number:04d}{SUFFIX}"
        write_image(file, Volume(_small(channel), image.geometry), overwrite=True)
    ignore = Structure(task.ignored, IGNORE, (0.5, 0.5, 0.5))
    table = LabelTable((*task.table.structures, ignore))
    write_labels(folders[1] / f"{case.name}{SUFFIX}", labels, table, overwrite=True)
    has_unknown = bool((labels.array == task.ignored).any())
    return _Written(len(image.array), modality_of(image.array) == "ct", has_unknown)


def _labels(case: Case, task: _Task, image: Volume) -> Volume:
    """(K, H, W) the value of each structure, 0 for background, and that of "ignore" where nobody knows."""
    source = annotation_file(case, task.settings.annotation)
    if source is None:
        raise BadFolder(f"The case {case.name} has no labels.", "Leave it out.")
    marks = read_annotation_mask(source, case, task.table, image.geometry, plane=task.plane)
    only = task.slices[case.name] if task.slices is not None else None
    outside_is_background = task.settings.outside_is_background
    known, _ = annotated_voxels(
        marks, task.settings.annotation, only, outside_is_background=outside_is_background
    )
    values = np.where(known.array == 0, task.ignored, known.array - 1)
    return Volume(values.astype(np.int16), image.geometry)


def _small(channel: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    """As whole numbers where it holds nothing else, which takes half the place."""
    limits = np.iinfo(np.int16)
    fits = channel.min() >= limits.min and channel.max() <= limits.max
    return channel.astype(np.int16) if fits and (channel == np.rint(channel)).all() else channel


def _dataset(task: _Task, written: Sequence[_Written]) -> dict[str, Any]:
    labels = {"background": 0, **{s.name: s.value for s in task.table.structures}}
    if any(case.has_unknown for case in written):
        labels[IGNORE] = task.ignored
    # By the name "CT" nnU-Net chooses how it scales gray values.
    is_ct = all(case.is_ct for case in written)
    channels = {str(n): "CT" if is_ct else f"channel {n}" for n in range(written[0].channels)}
    return {
        "channel_names": channels,
        "labels": labels,
        "numTraining": len(written),
        "file_ending": SUFFIX,
        "description": f"Annotated cases of {json.dumps(str(task.settings.labeled.name))}",
    }
