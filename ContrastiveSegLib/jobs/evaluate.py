"""Compare predictions with labels: Dice, distances in mm and volumes, per case and structure."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ContrastiveSegLib.dataset.cases import LeftOut
from ContrastiveSegLib.distributed.coordination import check_alike
from ContrastiveSegLib.distributed.processes import asked_for, is_first
from ContrastiveSegLib.distributed.work_division import gather_results, own_cases, processes_without_work
from ContrastiveSegLib.errors import BadFolder, CannotWrite
from ContrastiveSegLib.evaluation.case_comparison import ComparedCase, compare_case
from ContrastiveSegLib.evaluation.label_pairs import LabelPair, LabelPairs, find_label_pairs
from ContrastiveSegLib.evaluation.report import EvaluationReport
from ContrastiveSegLib.evaluation.summary import CaseMetrics, absent_metrics, summarize
from ContrastiveSegLib.file_io.source_files import file_size
from ContrastiveSegLib.imaging.case_errors import LostCases, attempt, first_reasons
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.runs.atomic_write import write_atomically
from ContrastiveSegLib.runs.temporary_files import make_output_folder
from ContrastiveSegLib.settings.job_settings import CaseSelection, EvaluateSettings

__all__ = ["EvaluationReport", "evaluate", "run"]


def run(settings: EvaluateSettings) -> LostCases:
    """Print the summary, and write the table of all cases if a file was named.

    Returns:
        How many of the cases were lost.

    Raises:
        BadFolder: Nothing in the two folders belongs together, or nothing of it could be compared.
        CannotWrite: The table exists already, or the disk refuses it.
    """
    output = settings.output
    if output is not None and output.exists() and not settings.overwrite:
        raise CannotWrite(f"{output} exists already.", "Choose another name, or ask to overwrite it.")
    with _joined(settings):
        report = evaluate(settings.predictions, settings.labels, selection=settings.cases)
        if is_first():
            _tell(report, output)
    return report.losses


def _joined(settings: EvaluateSettings) -> AbstractContextManager[None]:
    """A block in which the processes work together, if there are several; one alone needs no PyTorch."""
    if asked_for() == (0, 1):
        return nullcontext()
    from ContrastiveSegLib.distributed.process_group import joined

    return joined("evaluate", settings)


def _tell(report: EvaluationReport, output: Path | None) -> None:
    sys.stdout.write(f"{report.to_text()}\n")
    if output is not None:
        make_output_folder(output.parent)
        write_atomically(output, report.to_csv())
        sys.stdout.write(f"All cases and structures: {output}\n")
    if report.losses.are_most:
        sys.stdout.write(f"{report.losses}\n")


def evaluate(predictions: Path, labels: Path, *, selection: CaseSelection | None = None) -> EvaluationReport:
    """Compare each predicted file with the label of the same case, on the label's grid.

    Structures are matched by name. A file without names (an integer volume) takes those of its partner, by
    value.

    Args:
        predictions: Folder with <case>.seg.nrrd or <case>.nii.gz.
        labels: Folder with images and labels in any layout, or with label files alone.

    Raises:
        BadFolder: Nothing in the two folders belongs together, or nothing of it could be compared.
    """
    chosen = selection or CaseSelection()
    found = find_label_pairs(
        predictions,
        labels,
        only=chosen.only,
        leave_out=chosen.leave_out,
        patient_pattern=chosen.patient_pattern,
    )
    cases: list[ComparedCase] = []
    left_out = list(found.left_out)
    for number, answer in sorted(_each_case(found).items()):
        if isinstance(answer, str):
            left_out.append(LeftOut(found.pairs[number].prediction, answer, failed=True))
        else:
            cases.append(ComparedCase.from_json(answer))
    if not cases:
        why = first_reasons([out.reason for out in left_out[len(found.left_out) :]])
        raise BadFolder(
            f"None of the {len(found.pairs)} predictions could be compared. {why}",
            "Correct these files, or leave them out.",
        )
    return _report(cases, left_out)


def _each_case(found: LabelPairs) -> dict[int, dict[str, Any] | str]:
    """Compare all cases, shared out over the processes: the comparison of each as plain values, or a reason.

    Raises:
        BadSetting: The processes see other files.
        ProcessLost: One of them has failed.
    """
    sizes = [_sizes(pair) for pair in found.pairs]
    check_alike("cases", {pair.case: each for pair, each in zip(found.pairs, sizes, strict=True)})
    if idle := processes_without_work(len(sizes)):
        sys.stdout.write(f"{idle}\n")
    own: dict[int, dict[str, Any] | str] = {}
    # disable=None: without a terminal the bar would only fill log files.
    bar = {"unit": "case", "desc": "evaluate", "leave": False, "disable": None if is_first() else True}
    for number in tqdm(own_cases([sum(each) for each in sizes]), **bar):
        pair = found.pairs[number]
        compared, reason = attempt(pair.case, compare_case, pair, found.table, ignored=found.ignored)
        own[number] = compared.to_json() if compared else reason
    return gather_results(own)


def _sizes(pair: LabelPair) -> list[int]:
    """In bytes, of prediction and label."""
    return [file_size(path) for path in (pair.prediction, pair.truth)]


def _report(cases: Sequence[ComparedCase], left_out: Sequence[LeftOut]) -> EvaluationReport:
    """Bring all cases to the structures that some label has, and say which others were predicted."""
    annotated = LabelTable.merged(*(case.annotated for case in cases))
    if not annotated.structures:
        raise BadFolder(
            f"The labels of all {len(cases)} cases are background only: there is nothing to compare.",
            "Choose a folder with labeled structures.",
        )
    rows = [row for case in cases for row in _rows(case, annotated)]
    notes = [note for case in cases for note in case.notes]
    predicted = LabelTable.merged(*(case.common for case in cases))
    extra = [s.name for s in predicted.structures if s.value not in predicted.mapping_to(annotated)]
    if extra:
        notes.append(f"Predicted, but in no label, and so not compared: {', '.join(extra)}.")
    return EvaluationReport(tuple(rows), summarize(rows), tuple(left_out), tuple(notes))


def _rows(case: ComparedCase, annotated: LabelTable) -> Iterator[CaseMetrics]:
    """A row for every structure of the data set, whether or not this case has it."""
    values = case.common.mapping_to(annotated)
    found = {values[a.value]: a for a in case.metrics if a.value in values}
    for structure in sorted(annotated.structures, key=lambda structure: structure.value):
        metrics = found.get(structure.value, absent_metrics(structure.value))
        yield CaseMetrics(case.name, case.patient, structure.name, replace(metrics, value=structure.value))
