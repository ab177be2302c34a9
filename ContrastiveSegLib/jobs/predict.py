"""Segment volumes with a fine-tuned network, each on its own grid."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ContrastiveSegLib.dataset.cases import Case
from ContrastiveSegLib.distributed.coordination import check_alike, on_first_process
from ContrastiveSegLib.distributed.process_group import joined
from ContrastiveSegLib.distributed.work_division import gather_results, own_cases, processes_without_work
from ContrastiveSegLib.errors import Cancelled
from ContrastiveSegLib.file_io.files import read_geometry, read_image, write_image, write_labels
from ContrastiveSegLib.file_io.provenance import Mark
from ContrastiveSegLib.imaging.case_errors import LostCases, attempt
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
from ContrastiveSegLib.runs.held_locks import refuse_moved
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.runs.temporary_files import make_output_folder
from ContrastiveSegLib.session.device import choose_compute
from ContrastiveSegLib.session.reporter import Reporter, working
from ContrastiveSegLib.settings.job_settings import PredictSettings
from ContrastiveSegLib.training.case_results import read_expected, worst_first, write_case_results
from ContrastiveSegLib.training.data import (
    Found,
    facts_of,
    find_readable_cases,
    lost_cases_of,
    nothing_left,
    report_losses,
    warn_of_headers,
)
from ContrastiveSegLib.training.fine_tuned import Model, finished_round, load_round, prepared_for, segment
from ContrastiveSegLib.training.predicted_case import summary_of
from ContrastiveSegLib.training.prediction_summary import read_summary, write_summary


@dataclass(frozen=True)
class _Done:
    """What became of the file of a case, and the Dice that may be expected of it.

    Args:
        is_current: Whether it was there already, made from the same image in the same way.
        reason: Why it is left out; "" if it is not.
        summary: Its entry in the summary; None if that of an earlier job is still true, or if there is none.
    """

    how: str | None
    expected: float = math.nan
    is_current: bool = False
    reason: str = ""
    summary: dict[str, Any] | None = None


def run(settings: PredictSettings) -> LostCases:
    """Segment every case of a folder; what is already there stays, unless asked otherwise.

    Returns:
        How many of the cases were lost.

    Raises:
        ContrastiveSegError: Whatever the user can mend.
    """
    folder = RunFolder(settings.run)
    compute = choose_compute(settings.compute)
    finished_round(folder, settings.round)  # refused here, before anything is written
    elsewhere = settings.output is not None and folder.path.resolve() not in settings.output.resolve().parents
    with (
        joined("predict", settings),
        working(folder, "predict", settings, may_only_read=elsewhere) as reporter,
    ):
        model = load_round(folder, settings.round, compute)
        model = replace(model, single_components=_single_components(settings, model))
        output = settings.output or folder.predictions
        make_output_folder(output)
        found = find_readable_cases(settings.images, settings.cases)
        check_alike("cases", facts_of(found))
        warn_of_headers(found, reporter)
        needed = [_needed(geometry, model) for geometry in found.geometries]
        reporter.info(largest([case.name for case in found.cases], needed))
        if idle := processes_without_work(len(found.cases)):
            reporter.info(idle)
        done = _each_case(found, model, output, settings, reporter)
        reasons = [one.reason for one in done]
        if all(reasons):
            raise nothing_left(settings.images, reasons)
        reporter.info(
            f"Predictions of {sum(not r for r in reasons)} of {len(reasons)} cases are in {output}: "
            f"{in_words(one.how for one in done)}, with round {model.round}"
        )
        if worst := worst_first(found.cases, [one.expected for one in done]):
            reporter.info(f"Look at these first, their expected Dice is lowest: {worst}. {_basis(model)}")
        return report_losses(lost_cases_of(found, reasons), reporter)


def _each_case(
    found: Found, model: Model, output: Path, settings: PredictSettings, reporter: Reporter
) -> list[_Done]:
    """Predict all cases, shared out over the processes, and write down what became of each.

    Raises:
        Cancelled: The user asked to stop; what is done is written down.
    """
    table = RunFolder(settings.run).case_results("predict", folder=output)
    earlier, known = read_expected(table), read_summary(reporter.run.summary(suffix="json", folder=output))
    own: dict[int, _Done] = {}
    shares = own_cases([math.prod(geometry.shape) for geometry in found.geometries])
    with reporter.bar(len(shares), "case") as advance:
        for number in shares:
            if reporter.cancelled():
                break
            case = found.cases[number]
            reporter.log_event("case", case=case.name, number=number + 1, cases=len(found.cases))
            one, reason = attempt(case.name, _one_case, case, model, output, settings, reporter)
            if one and one.is_current:
                one = replace(one, expected=earlier.get(case.name, math.nan))
            own[number] = one or _Done(None, reason=reason)
            if reason:
                reporter.warn(f"{case.name} is left out: {reason}", case=case.name)
            advance(1)
    done = _of_all(own, found, reporter)
    on_first_process(_write_down, table, found, done, earlier)
    on_first_process(_write_summary, reporter.run, output, found, done, known)
    if len(done) < len(found.cases):
        raise Cancelled(f"Prediction was cancelled; what is done is in {output}.", "Start it again.")
    return [done[number] for number in range(len(found.cases))]


def _of_all(own: dict[int, _Done], found: Found, reporter: Reporter) -> dict[int, _Done]:
    """What became of the cases of all processes; the first one says what went wrong in the others."""
    every = gather_results({number: asdict(one) for number, one in own.items()})
    done = {number: _Done(**every[number]) for number in sorted(every)}
    for number, one in done.items():
        if one.reason and number not in own:
            name = found.cases[number].name
            reporter.warn(f"{name} is left out: {one.reason}", case=name)
    return done


def _write_summary(
    run: RunFolder, output: Path, found: Found, done: Mapping[int, _Done], known: dict[str, dict[str, Any]]
) -> None:
    """The measures of all predictions that are there; of those that stayed, what an earlier job wrote."""
    entries = {name: entry for name, entry in known.items() if Path(entry["prediction"]).is_file()}
    for number, one in done.items():
        case = found.cases[number]
        if one.how is not None and not one.is_current:
            entries.pop(case.name, None)  # of a file that is no longer there
        if one.summary:
            entries[case.name] = one.summary
    table = run.summary(folder=output)
    write_summary(run.summary(suffix="json", folder=output), table, entries.values())


def _write_down(table: Path, found: Found, done: Mapping[int, _Done], earlier: dict[str, float]) -> None:
    """The table of all cases; of those that were not reached the earlier expectation stays."""
    why = "The job was cancelled before this case."
    every = [
        done.get(number) or _Done(None, earlier.get(case.name, math.nan), reason=why)
        for number, case in enumerate(found.cases)
    ]
    write_case_results(
        table,
        found.cases,
        [one.reason for one in every],
        found.listing.left_out,
        expected=[one.expected for one in every],
    )


def _basis(model: Model) -> str:
    """What the expected Dice rests on."""
    if model.expectation.dice:
        return f"It is calibrated on {model.expectation.cases} annotated cases that training did not see."
    return "It is how certain the network is: trust the order more than the figures."


def _single_components(settings: PredictSettings, model: Model) -> tuple[tuple[int, ...], ...]:
    """The groups that the user named; otherwise those that were one component in every annotation."""
    if settings.components == "auto":
        return model.single_components
    classes = tuple(range(1, len(model.table.values) + 1))
    groups = {"each": [], "together": [classes]}
    return () if settings.components == "no" else (*groups[settings.components], *((n,) for n in classes))


def _mirrors(settings: PredictSettings, model: Model) -> bool:
    return model.mirrored if settings.mirror == "auto" else settings.mirror == "yes"


def _one_case(case: Case, model: Model, output: Path, settings: PredictSettings, reporter: Reporter) -> _Done:
    """Predict one case and write the result, if it is not there; says which of it."""
    started = time.monotonic()
    target = reporter.run.prediction(case.name, suffix=settings.format, folder=output)
    refuse_own_files(target, case)
    mark = _mark(case, model, settings)
    found = judge(target, mark, overwrite=settings.overwrite)
    map_file = _map_file(case, output, settings, reporter)
    if found.sentence:
        log_event = reporter.info if found.is_written or found.is_current else reporter.warn
        log_event(found.sentence, case=case.name)
    if not found.is_written and not (found.is_current and map_file and not map_file.exists()):
        return _Done(STAYED, is_current=found.is_current)
    labels, uncertainty, expected = segment(
        model,
        *_prepared(case, model, reporter),
        mirror=_mirrors(settings, model),
        intensity_refinement=settings.intensity_refinement,
    )
    refuse_moved(reporter.run.path)  # writing would make the folder of the predictions again
    if map_file:
        _write_map(map_file, uncertainty, replace(mark, kind="uncertainty"), settings, reporter)
    write_labels(target, labels, model.table, overwrite=target.exists(), mark=mark)
    reporter.log_event("result", case=case.name, file=str(target), round=model.round, expected_dice=expected)
    seconds = time.monotonic() - started
    summary, reason = attempt(case.name, summary_of, case, target, labels, model, expected, seconds)
    if reason:  # the prediction is there all the same
        reporter.warn(f"{case.name} has no entry in the summary: {reason}", case=case.name)
    return _Done(AGAIN if found.sentence else NEW, expected, summary=summary)


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
    return prepared_for(model, image, case.name), image.geometry


def _mark(case: Case, model: Model, settings: PredictSettings) -> Mark:
    """What the prediction of a case is made from."""
    how = (_mirrors(settings, model), settings.intensity_refinement, model.single_components)
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
