"""Improve predicted structures with a promptable model; what would change too much stays as it was."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.errors import BadSetting, Cancelled
from ContrastiveSegLib.file_io.files import read_image, read_labels, write_labels
from ContrastiveSegLib.file_io.provenance import SHORT, Mark
from ContrastiveSegLib.imaging.alignment import labels_on_grid
from ContrastiveSegLib.imaging.case_errors import LostCases, attempt
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.networks.weights import model_card_errors, read_model_card
from ContrastiveSegLib.postprocessing.existing_results import (
    AGAIN,
    NEW,
    STAYED,
    image_identity,
    in_words,
    judge,
    refuse_own_files,
    short_digest,
)
from ContrastiveSegLib.preprocessing.array_store import checksum
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.propagation.gray_slices import Cut, gray_volume
from ContrastiveSegLib.propagation.predicted_labels import Prediction, find_predictions
from ContrastiveSegLib.propagation.refine import RefinedOutline, Rules, refine_volume
from ContrastiveSegLib.propagation.reporter import reporting
from ContrastiveSegLib.propagation.slice_consistency import DEVIATION_MM, SliceConsistency
from ContrastiveSegLib.runs.atomic_write import write_atomically
from ContrastiveSegLib.runs.held_locks import refuse_moved
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.runs.run_names import REFINE_REPORT, REFINED
from ContrastiveSegLib.runs.temporary_files import make_output_folder
from ContrastiveSegLib.sam._model import PromptableModel
from ContrastiveSegLib.sam.catalog import choose_family, load_family
from ContrastiveSegLib.session.device import choose_compute
from ContrastiveSegLib.session.reporter import Reporter
from ContrastiveSegLib.settings.job_settings import RefineSettings
from ContrastiveSegLib.settings.schema import from_dict
from ContrastiveSegLib.training.case_results import write_case_results
from ContrastiveSegLib.training.data import nothing_left, report_losses
from ContrastiveSegLib.training.fine_tuned import finished_round

COLUMNS = (
    "slice",
    "structure",
    "component",
    "outcome",
    "reason",
    "overlap",
    "score",
    "before_mm2",
    "after_mm2",
    "filled_contour",
)


@dataclass(frozen=True)
class _Work:
    """What is the same for every case."""

    model: PromptableModel
    rules: Rules
    intensities: Intensities
    output: Path
    weights: str


def run(settings: RefineSettings) -> LostCases:
    """Refine the labels of every case; what is already there stays, unless asked otherwise.

    Returns:
        How many of the cases were lost.

    Raises:
        ContrastiveSegError: Whatever the user can mend.
    """
    predictions, output = _folders(settings)
    partners, left_out = find_predictions(predictions, settings.images, settings.cases)
    asked = settings.promptable
    family = choose_family(asked.model, asked.checkpoint, makes=("masks",))
    compute = choose_compute(settings.compute)
    with reporting(settings.run, "refine", settings) as reporter:
        reporter.warn_all([f"{out.path} is left out: {out.reason}" for out in left_out])
        model, weights = load_family(family, asked.checkpoint, compute, checksum=asked.checksum)
        reporter.info(f"{family.name}, license {family.card.license}: {weights.describe()}")
        make_output_folder(output)
        rules = Rules(
            settings.padding,
            settings.passes,
            settings.acceptance,
            settings.smallest_component,
            family.card.photographs,
        )
        work = _Work(model, rules, _intensities(settings), output, weights.sha256)
        done = [_attempted(partner, work, settings, reporter) for partner in partners]
        reasons = [reason for _, reason in done]
        cases = [partner.case for partner in partners]
        write_case_results(reporter.run.case_results("refine", folder=output), cases, reasons, left_out)
        if all(reasons):
            raise nothing_left(predictions, reasons)
        reporter.info(
            f"Refined labels of {sum(not r for r in reasons)} of {len(reasons)} cases are in {output}: "
            f"{in_words(how for how, _ in done)}"
        )
        return report_losses(LostCases(sum(map(bool, reasons)), len(reasons)), reporter)


def _folders(settings: RefineSettings) -> tuple[Path, Path]:
    """Where the predictions are, and where the refined ones go."""
    if settings.predictions is None and settings.run is None:
        raise BadSetting("Neither a run folder nor --predictions was given.", "Give one of them.")
    folder = settings.predictions or RunFolder(settings.run or Path()).predictions
    output = settings.output or folder.with_name(f"{folder.resolve().name}{REFINED}")
    if output.resolve() == folder.resolve():
        raise BadSetting(f"{output} is the folder of the predictions themselves.", "Choose another --output.")
    return folder, output


def _intensities(settings: RefineSettings) -> Intensities:
    """What the user says; else what the network of the run was trained with; else what the image suggests."""
    asked = settings.gray
    if settings.run and (asked.modality, asked.window) == ("auto", None):
        folder = RunFolder(settings.run)
        if folder.finetune_rounds(finished=True):
            source = finished_round(folder, None)
            with model_card_errors(source):
                return from_dict(Intensities, read_model_card(source)["intensities"])
    return Intensities(asked.modality, asked.window)


def _attempted(
    partner: Prediction, work: _Work, settings: RefineSettings, reporter: Reporter
) -> tuple[str | None, str]:
    """What became of the result of a case, or why it is left out."""
    name = partner.case.name
    how, reason = attempt(name, _one_case, partner, work, settings, reporter)
    if reason:
        reporter.warn(f"{name} is left out: {reason}", case=name)
    return how, reason


def _one_case(partner: Prediction, work: _Work, settings: RefineSettings, reporter: Reporter) -> str:
    """Refine one case and write labels and report, if they are not there; says which of it."""
    name = partner.case.name
    target = reporter.run.prediction(name, folder=work.output)
    refuse_own_files(target, partner.case)
    mark = _mark(partner, work, settings)
    found = judge(target, mark, overwrite=settings.overwrite)
    if found.sentence:
        log_event = reporter.info if found.is_written or found.is_current else reporter.warn
        log_event(found.sentence, case=name)
    if not found.is_written:
        return STAYED
    read = read_image(partner.case.images, last_axis_is_channels=partner.case.last_axis_is_channels)
    labels = read_labels(partner.labels)
    placed = labels_on_grid(labels.volume, read.volume.geometry, name=name)
    reporter.warn_all([f"{name}: {note}" for note in (*read.notes, *labels.notes, *placed.notes)])
    coarse = placed.volume
    refined, asked = _refined(name, read.volume, coarse, work, settings, reporter)
    refuse_moved(reporter.run.path)  # writing would make the folder of the results again
    write_labels(target, refined, labels.table, overwrite=target.exists(), mark=mark)
    pixel = Cut.of(coarse.geometry).pixel_mm2(coarse.geometry)
    write_atomically(work.output / f"{name}{REFINE_REPORT}", _report(asked, labels.table, pixel))
    accepted = sum(line.acceptance.accepted for line in asked)
    reporter.log_event("result", case=name, file=str(target), asked=len(asked), accepted=accepted)
    return AGAIN if found.sentence else NEW


def _mark(partner: Prediction, work: _Work, settings: RefineSettings) -> Mark:
    """What a refined labeling is made from: image, weights, the labels before, and how the model is asked."""
    rules = asdict(work.rules)
    rules["gate"] = rules.pop("acceptance")  # its name in version 0.1, whose results stay
    how = (
        checksum([partner.labels]),
        rules,
        asdict(work.intensities),
        settings.slice_consistency,
    )
    identity = short_digest((*how, settings.gray.channel))
    return Mark("refine", model=work.weights[:SHORT], image=image_identity(partner.case), settings=identity)


def _refined(
    name: str, image: Volume, coarse: Volume, work: _Work, settings: RefineSettings, reporter: Reporter
) -> tuple[Volume, list[RefinedOutline]]:
    """All slices of a case, with a bar."""
    cut = Cut.of(coarse.geometry)
    slices = cut.stack(gray_volume(image, work.intensities, channel=settings.gray.channel))
    labels = cut.stack(coarse.array)
    pixel_mm = cut.pixel_mm2(coarse.geometry) ** 0.5
    wanted = settings.slice_consistency
    consistency = _consistency(name, slices, labels, pixel_mm, reporter) if wanted else None
    refined, asked = np.zeros_like(labels), []
    with reporter.bar(len(slices), "slice") as advance:
        for k, found, lines in refine_volume(work.model, slices, labels, work.rules, consistency):
            if reporter.cancelled():
                raise Cancelled(f"Refining was cancelled at {name}.", "Start it again.")
            refined[k] = found
            asked += lines
            advance(1)
            reporter.log_event("refined", case=name, slice=k, slices=len(slices))
    return Volume(cut.unstack(refined), coarse.geometry), asked


def _consistency(
    name: str, slices: npt.NDArray[np.uint8], labels: npt.NDArray[Any], pixel_mm: float, reporter: Reporter
) -> SliceConsistency | None:
    """What corrects the outlines of a case, if they differ much from slice to slice; the user is told."""
    consistency = SliceConsistency.of(slices, labels, pixel_mm)
    deviation = consistency.deviation_mm()
    if deviation <= DEVIATION_MM:
        return None
    reporter.info(
        f"{name}: outlines lie {deviation:.1f} mm from those of the neighboring slices, and are corrected "
        "before the model is asked; --no-slice-consistency leaves them as they are.",
        case=name,
    )
    return consistency


def _report(asked: Sequence[RefinedOutline], table: LabelTable, pixel_mm2: float) -> str:
    """The lines of a case as CSV; a hole is named after what surrounds it."""
    text = io.StringIO()
    rows = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    rows.writeheader()
    for line in asked:
        name = table.by_value(abs(line.value)).name
        rows.writerow(
            {
                "slice": line.slice,
                "structure": name if line.value > 0 else f"hole in {name}",
                "component": line.component,
                "outcome": "accepted" if line.acceptance.accepted else "refused",
                "reason": line.acceptance.reason,
                "overlap": f"{line.acceptance.overlap:.3f}",
                "score": "" if line.score is None else f"{line.score:.3f}",
                "before_mm2": f"{line.before * pixel_mm2:.1f}",
                "after_mm2": "" if line.after is None else f"{line.after * pixel_mm2:.1f}",
                "filled_contour": "yes" if line.is_nested else "",
            }
        )
    return text.getvalue()
