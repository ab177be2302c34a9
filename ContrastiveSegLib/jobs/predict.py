"""Segment volumes with a fine-tuned network, each on its own grid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ContrastiveSegLib.dataset.cases import Case
from ContrastiveSegLib.errors import BadFile, Cancelled
from ContrastiveSegLib.file_io.files import read_geometry, read_image, write_image, write_labels
from ContrastiveSegLib.file_io.provenance import Mark
from ContrastiveSegLib.imaging.case_errors import Losses, attempt
from ContrastiveSegLib.imaging.hounsfield import gray_notes
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.inference.memory import check_memory, largest, memory_needed
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
from ContrastiveSegLib.preprocessing.resampling import prepare
from ContrastiveSegLib.runs.atomic_write import make_folder
from ContrastiveSegLib.runs.held_locks import refuse_moved
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.runs.temporary_files import sweep
from ContrastiveSegLib.session.device import choose_compute
from ContrastiveSegLib.session.reporter import Reporter, working
from ContrastiveSegLib.settings.job_settings import PredictSettings
from ContrastiveSegLib.training.case_results import write_case_results
from ContrastiveSegLib.training.data import (
    find_readable_cases,
    losses_of,
    nothing_left,
    say_losses,
    warn_of_left_out,
)
from ContrastiveSegLib.training.fine_tuned import Model, finished_round, load, segment
from ContrastiveSegLib.training.modality import modality_learned

# Others may write into the same folder; a file that nobody touched for so long was left by a killed process.
ABANDONED_S = 900.0


def run(settings: PredictSettings) -> Losses:
    """Segment every case of a folder; what is already there stays, unless asked otherwise.

    Returns:
        How many of the cases were lost.

    Raises:
        ContrastiveSegError: Whatever the user can mend.
    """
    folder = RunFolder(settings.run)
    compute = choose_compute(settings.compute)
    source = finished_round(folder, settings.round)
    elsewhere = settings.output is not None and folder.path.resolve() not in settings.output.resolve().parents
    with working(folder, "predict", settings, may_only_read=elsewhere) as reporter:
        model = load(source, compute)
        model = replace(
            model,
            single_pieces=_single_pieces(settings, model),
            intensities=modality_learned(model.intensities, folder),
        )
        output = settings.output or folder.predictions
        make_folder(output)
        sweep([output], older_than_s=ABANDONED_S)
        found = find_readable_cases(settings.images, settings.cases)
        warn_of_left_out(found, reporter)
        needed = [_needed(geometry, model) for geometry in found.geometries]
        reporter.say(largest([case.name for case in found.cases], needed))
        reasons, done = [], []
        with reporter.bar(len(found.cases), "case") as advance:
            for number, case in enumerate(found.cases, start=1):
                if reporter.cancelled():
                    raise Cancelled(
                        f"Prediction was cancelled; what is done is in {output}.", "Start it again."
                    )
                reporter.tell("case", case=case.name, number=number, cases=len(found.cases))
                how, reason = attempt(case.name, _one_case, case, model, output, settings, reporter)
                done.append(how)
                if reason:
                    reporter.warn(f"{case.name} is left out: {reason}", case=case.name)
                reasons.append(reason)
                advance(1)
        write_case_results(
            folder.case_results("predict", folder=output), found.cases, reasons, found.listing.left_out
        )
        if all(reasons):
            raise nothing_left(settings.images, reasons)
        reporter.say(
            f"Predictions of {sum(not r for r in reasons)} of {len(reasons)} cases are in {output}: "
            f"{in_words(done)}, with round {model.round}"
        )
        return say_losses(losses_of(found, reasons), reporter)


def _single_pieces(settings: PredictSettings, model: Model) -> tuple[tuple[int, ...], ...]:
    """The groups that the user named; otherwise those that were one piece in every annotation."""
    if settings.pieces == "auto":
        return model.single_pieces
    classes = tuple(range(1, len(model.table.values) + 1))
    groups = {"each": [], "together": [classes]}
    return () if settings.pieces == "no" else (*groups[settings.pieces], *((n,) for n in classes))


def _mirrors(settings: PredictSettings, model: Model) -> bool:
    return model.mirrored if settings.mirror == "auto" else settings.mirror == "yes"


def _one_case(case: Case, model: Model, output: Path, settings: PredictSettings, reporter: Reporter) -> str:
    """Predict one case and write the result, if it is not there; says which of it."""
    target = reporter.run.prediction(case.name, suffix=settings.format, folder=output)
    refuse_own_files(target, case)
    mark = _mark(case, model, settings)
    found = judge(target, mark, overwrite=settings.overwrite)
    map_file = _map_file(case, output, settings, reporter)
    if found.sentence:
        tell = reporter.say if found.is_written or found.is_current else reporter.warn
        tell(found.sentence, case=case.name)
    if not found.is_written and not (found.is_current and map_file and not map_file.exists()):
        return STAYED
    labels, uncertainty = segment(
        model,
        *_prepared(case, model, reporter),
        mirror=_mirrors(settings, model),
        gray_correction=settings.gray_correction,
    )
    refuse_moved(reporter.run.path)  # writing would make the folder of the predictions again
    if map_file:
        _write_map(map_file, uncertainty, replace(mark, kind="uncertainty"), settings, reporter)
    write_labels(target, labels, model.table, overwrite=target.exists(), mark=mark)
    reporter.tell("result", case=case.name, file=str(target), round=model.round)
    return AGAIN if found.sentence else NEW


def _needed(original: Geometry, model: Model) -> int:
    """Bytes of memory."""
    classes = len(model.table.structures) + 1
    return memory_needed(original, model.grid, channels=model.channels, classes=classes)


def _prepared(case: Case, model: Model, reporter: Reporter) -> tuple[Volume, Geometry]:
    """The image on the working grid, and the grid of its file; what was read is forgotten.

    Raises:
        BadFile: The image has another number of channels than the network.
        TooLarge: It does not fit into the memory that is left.
    """
    header = read_geometry(case.images, last_axis_is_channels=case.last_axis_is_channels)
    check_memory(case.name, header, _needed(header, model))
    read = read_image(case.images, last_axis_is_channels=case.last_axis_is_channels)
    image = read.volume
    scaled_by = "auto" if model.intensities.window else model.intensities.modality
    for note in (*read.notes, *gray_notes(image.array, scaled_by)):
        reporter.warn(f"{case.name}: {note}")
    if len(image.array) != model.channels:
        raise BadFile(
            f"{case.name} has {len(image.array)} channels, the network was trained with {model.channels}.",
            "Give the same channels in the same order as in training.",
        )
    return prepare(image, model.grid, model.intensities)[0], image.geometry


def _mark(case: Case, model: Model, settings: PredictSettings) -> Mark:
    """What the prediction of a case is made from."""
    how = (_mirrors(settings, model), settings.gray_correction, model.single_pieces)
    return Mark("predict", model.round, model.identity, image_identity(case), short_digest(how))


def _map_file(case: Case, output: Path, settings: PredictSettings, reporter: Reporter) -> Path | None:
    suffix = "nii.gz" if settings.format == "nii.gz" else "nrrd"
    path = reporter.run.uncertainty(case.name, suffix=suffix, folder=output)
    return path if settings.uncertainty else None


def _write_map(
    path: Path, uncertainty: Volume, mark: Mark, settings: PredictSettings, reporter: Reporter
) -> None:
    found = judge(path, mark, overwrite=settings.overwrite)
    if found.is_written or found.is_current:
        volume = Volume(uncertainty.array[0], uncertainty.geometry)
        write_image(path, volume, overwrite=path.exists(), mark=mark)
    else:
        reporter.warn(found.sentence)
