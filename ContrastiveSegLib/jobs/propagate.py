"""Carry one annotated slice through its volume, both ways, until the structures end."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.errors import BadSetting, Cancelled, CannotWrite
from ContrastiveSegLib.file_io.file_names import split_suffix
from ContrastiveSegLib.file_io.files import read_image, read_labels, write_labels
from ContrastiveSegLib.file_io.provenance import Mark
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.propagation.annotated_slice import AnnotatedSlice, find_annotated_slice, on_grid_of
from ContrastiveSegLib.propagation.gray_slices import Cut, gray_volume
from ContrastiveSegLib.propagation.prompts import by_box, by_outline
from ContrastiveSegLib.propagation.propagate import PropagatedSlice, largest_components, propagate
from ContrastiveSegLib.propagation.reporter import reporting
from ContrastiveSegLib.propagation.stopping import StopRules
from ContrastiveSegLib.propagation.tracking import GuidedPropagator
from ContrastiveSegLib.runs.atomic_write import write_atomically
from ContrastiveSegLib.runs.case_files import case_file
from ContrastiveSegLib.runs.temporary_files import make_output_folder
from ContrastiveSegLib.sam._model import Propagator
from ContrastiveSegLib.sam.catalog import choose_family, load_family
from ContrastiveSegLib.session.device import choose_compute
from ContrastiveSegLib.session.reporter import Reporter
from ContrastiveSegLib.settings.job_settings import PropagateSettings

COLUMNS = ("slice", "structure", "outcome", "reason", "score", "overlap", "area_mm2", "confidence")


def run(settings: PropagateSettings) -> None:
    """Write the carried labels and, beside them, the report on every slice.

    Raises:
        ContrastiveSegError: Whatever the user can mend.
    """
    output = _output(settings)
    image = read_image([settings.image])
    annotation = read_labels(settings.annotation)
    drawn = on_grid_of(image.volume.geometry, annotation.volume, settings.annotation)
    key = find_annotated_slice(drawn.volume, settings.annotation, plane=settings.plane, number=settings.slice)
    gray = Intensities(settings.gray.modality, settings.gray.window)
    slices = key.cut.stack(gray_volume(image.volume, gray, channel=settings.gray.channel))
    with reporting(settings.run, "propagate") as reporter:
        reporter.warn_all([*image.notes, *annotation.notes, *drawn.notes])
        propagator = _propagator(settings, key.cut, image.volume.geometry, reporter)
        labels, lines = _followed(propagator, slices, key, reporter)
        result = Volume(key.cut.unstack(largest_components(labels, key.number)), image.volume.geometry)
        make_output_folder(output.parent)
        write_labels(output, result, annotation.table, overwrite=settings.overwrite, mark=Mark("propagate"))
        pixel = key.cut.pixel_mm2(image.volume.geometry)
        write_atomically(_report_file(output), _report(lines, annotation.table, pixel))
        _say_ends(lines, annotation.table, reporter)
        reporter.info(f"The carried labels are in {output}", kind="result", file=str(output))


def _output(settings: PropagateSettings) -> Path:
    """Where the result goes.

    Raises:
        CannotWrite: It is there already.
        BadSetting: It is one of the inputs.
    """
    stem, _ = split_suffix(settings.annotation.name)
    output = settings.output or case_file(settings.annotation.parent, f"{stem}_propagated")
    if output.resolve() in (settings.annotation.resolve(), settings.image.resolve()):
        raise BadSetting(f"{output} is also an input.", "Choose another --output.")
    if output.exists() and not settings.overwrite:
        raise CannotWrite(f"{output} exists already.", "Choose another name, or ask to overwrite it.")
    return output


def _propagator(settings: PropagateSettings, cut: Cut, geometry: Geometry, reporter: Reporter) -> Propagator:
    """The model; one that knows single slices alone is combined with the other evidence."""
    asked = settings.promptable
    family = choose_family(asked.model, asked.checkpoint, makes=("volumes", "masks"))
    compute = choose_compute(settings.compute)
    model, weights = load_family(family, asked.checkpoint, compute, checksum=asked.checksum)
    propagator: Propagator
    if family.card.makes == "volumes":
        way, propagator = "with memory", model
    else:
        asking = by_outline if family.card.photographs else by_box(settings.padding)
        pixel_mm = math.sqrt(cut.pixel_mm2(geometry))
        way = "with spatial prior and intensity model"
        propagator = GuidedPropagator(model, asking, pixel_mm, cut.slice_mm(geometry))
    reporter.info(f"{family.name} ({way}), license {family.card.license}: {weights.describe()}")
    return propagator


def _followed(
    propagator: Propagator, slices: npt.NDArray[np.uint8], key: AnnotatedSlice, reporter: Reporter
) -> tuple[npt.NDArray[Any], list[PropagatedSlice]]:
    """All slices, with a bar; slices beyond the ends of all structures are never looked at."""
    labels, lines = np.zeros(slices.shape, key.labels.dtype), []
    with reporter.bar(len(slices), "slice") as advance:
        for k, found, more in propagate(propagator, slices, key.number, key.labels, StopRules()):
            if reporter.cancelled():
                raise Cancelled("Carrying the slice was cancelled; nothing was written.", "Start it again.")
            labels[k] = found
            lines += more
            advance(1)
            reporter.log_event("propagated", slice=k, slices=len(slices))
    return labels, lines


def _say_ends(lines: Sequence[PropagatedSlice], table: LabelTable, reporter: Reporter) -> None:
    """From where to where each structure goes, and why it ends there."""
    for value in sorted({line.value for line in lines}):
        mine = [line for line in lines if line.value == value]
        there = [line for line in mine if not line.reason]
        first, last = min(line.slice for line in there), max(line.slice for line in there)
        ends = "; ".join(f"slice {line.slice}: {line.reason}" for line in mine if line.reason)
        sure = min(line.confidence for line in there)
        sentence = f"{table.by_value(value).name}: slices {first} to {last}, confidence {sure:.2f} at least"
        log_event = reporter.warn if first == last else reporter.info
        log_event(f"{sentence}; ended at {ends}." if ends else f"{sentence}; no end within the volume.")


def _report_file(output: Path) -> Path:
    return output.with_name(f"{split_suffix(output.name)[0]}.csv")


def _report(lines: Sequence[PropagatedSlice], table: LabelTable, pixel_mm2: float) -> str:
    text = io.StringIO()
    rows = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    rows.writeheader()
    for line in sorted(lines, key=lambda line: (line.slice, line.value)):
        rows.writerow(
            {
                "slice": line.slice,
                "structure": table.by_value(line.value).name,
                "outcome": "ended" if line.reason else "followed",
                "reason": line.reason,
                "score": f"{line.score:.3f}",
                "overlap": f"{line.overlap:.3f}",
                "area_mm2": f"{line.area * pixel_mm2:.1f}",
                "confidence": f"{line.confidence:.3f}",
            }
        )
    return text.getvalue()
