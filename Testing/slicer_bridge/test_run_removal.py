"""Deleting a run takes what the program wrote, by name, and never what somebody else put there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ContrastiveSegLib.dataset.cases import Case
from ContrastiveSegLib.errors import BadFolder, RunInUse
from ContrastiveSegLib.runs.events import log_event
from ContrastiveSegLib.runs.file_lock import hold
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.slicer_bridge import annotation_files
from ContrastiveSegLib.slicer_bridge.run_archive import contents_of, delete_run

ASKED = {"pretrain": {"images": "/data", "method": "pcl"}}
WRITTEN = (
    "settings.json",
    "cases.csv",
    "labels.json",
    "log.txt",
    "suggestions.png",
    "suggest_cases.csv",
    "predictions/predict_cases.csv",
    "predictions_refined/refine_cases.csv",
    "pretrain/model.safetensors",
    "pretrain/model.json",
    "finetune/01/last",
    "finetune/12/metrics.csv",
    "pretrain/environment.json",
    "pretrain/cases.csv",
    "finetune/12/labels.json",
    "finetune/12/self_training/00/model.safetensors",
    "finetune/12/self_training/00/pseudo_labels.csv",
    "finetune/12/self_training/00/pseudo_labels/00003.npy",
    "finetune/12/self_training/00/pseudo_labels/00003-certain.npy",
    "finetune/12/self_training/00/pseudo_labels/drawn-00001.json",
    "prepared/a-0123456789ab.npy",
    "prepared/a-0123456789ab.part.npy",
    "panel/process.json",
    "panel/pretrain.output.txt",
    "panel/input/scan/scan.nrrd",
    "predictions/a.seg.nrrd",
    "predictions/a_uncertainty.nrrd",
    "predictions/predict_cases.csv",
    "predictions_refined/refine_cases.csv",
    "predictions_refined/a.seg.nrrd",
    "predictions_refined/a_refine.csv",
    f".{'0' * 32}.tmp",
)
FOREIGN = (
    "thesis.docx",
    "images/patient1.nii.gz",
    "labels/patient1.nii.gz",
    "prepared/my scan.nrrd",
    "pretrain/notes.txt",
    "finetune/02/model.safetensors.bak",
    "finetune/old/model.json",
    "predictions/thesis.docx",
    "predictions/of_another_program.seg.nrrd",
    "predictions/mine/a.seg.nrrd",
    "annotations/images/patient1.nii.gz",
    "annotations/labels/patient1.seg.nrrd",
    "panel/input/scan/other.nrrd",
    "settings.json.bak",
)


def _fill(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(ASKED) if name == "settings.json" else "text", encoding="utf-8")


def _left(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def a_full_run(tmp_path: Path) -> RunFolder:
    """A run with everything that jobs write; its results were told when it lay somewhere else."""
    run = RunFolder(tmp_path / "heart")
    run.create()
    _fill(run.path, WRITTEN)
    log_event(run.events, "start", job="predict")
    log_event(run.events, "result", job="predict", case="a", file=r"D:\runs\old place\predictions\a.seg.nrrd")
    log_event(run.events, "result", job="refine", case="a", file="/old/predictions_refined/a.seg.nrrd")
    return run


def test_a_run_of_its_own_vanishes(a_full_run: RunFolder) -> None:
    stays = delete_run(a_full_run)

    assert stays == ()
    assert not a_full_run.path.exists()


def test_a_folder_of_scans_that_was_used_as_a_run_keeps_all_that_is_the_users(a_full_run: RunFolder) -> None:
    _fill(a_full_run.path, FOREIGN)

    announced = contents_of(a_full_run)
    stays = delete_run(a_full_run)

    assert _left(a_full_run.path) == set(FOREIGN)
    assert {path.relative_to(a_full_run.path).as_posix() for path in stays} == set(FOREIGN)
    assert announced.others == stays


def test_an_old_run_without_marker_is_deleted_too(a_full_run: RunFolder) -> None:
    (a_full_run.path / "run.json").unlink()

    delete_run(a_full_run)

    assert not a_full_run.path.exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("settings.json", "{}"),
        ("settings.json", '{"editor.fontSize": 12}'),
        ("settings.json", '{"pretrain": {}}'),
        ("settings.json", "not JSON"),
        ("run.json", '{"scripts": {}}'),
        ("run.json", "{"),
        ("finetune/01/settings.json", '{"finetune": {"epochs": 3}}'),
        ("events.jsonl", '{"time": 1, "kind": "click"}\n'),
    ],
)
def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, name: str, text: str) -> None:
    _fill(tmp_path, ("scan.nii.gz", "log.txt", name))
    (tmp_path / name).write_text(text, encoding="utf-8")

    with pytest.raises(BadFolder, match="is no run folder, so it is not deleted"):
        delete_run(RunFolder(tmp_path))

    assert _left(tmp_path) == {"scan.nii.gz", "log.txt", name}


def test_what_links_lead_to_is_not_touched(a_full_run: RunFolder, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    _fill(elsewhere, ("b-0123456789ab.npy",))
    (a_full_run.path / "finetune" / "01" / "last").unlink()
    (a_full_run.path / "finetune" / "01" / "last").symlink_to(elsewhere / "b-0123456789ab.npy")
    (a_full_run.path / "more").symlink_to(elsewhere)

    stays = delete_run(a_full_run)

    assert stays == (a_full_run.path / "more",)
    assert _left(elsewhere) == {"b-0123456789ab.npy"}


def test_a_run_in_which_a_job_works_is_refused(a_full_run: RunFolder) -> None:
    before = _left(a_full_run.path)

    with hold(a_full_run.lock_file), pytest.raises(RunInUse):
        delete_run(a_full_run)

    assert _left(a_full_run.path) >= before


def test_annotations_of_the_panel_go_and_those_laid_there_by_hand_stay(
    a_full_run: RunFolder, tmp_path: Path
) -> None:
    by_hand = ("annotations/images/mine.nrrd", "annotations/labels/mine.seg.nrrd")
    _fill(a_full_run.path, by_hand)
    _fill(tmp_path / "data", ("scan.nii.gz",))
    for name in ("scan.nii.gz", "mine.nrrd"):
        source = tmp_path / "data" / name if name == "scan.nii.gz" else a_full_run.path / by_hand[0]
        annotation_files.keep_image(a_full_run, Case(name.split(".")[0], (source,)))
    _fill(a_full_run.path, ("annotations/labels/scan.seg.nrrd",))
    annotation_files.note_amount(a_full_run, "scan", slices=3, kind="slices")

    delete_run(a_full_run)

    assert _left(a_full_run.path) == set(by_hand)


def test_a_run_of_a_later_version_is_refused(a_full_run: RunFolder) -> None:
    (a_full_run.path / "run.json").write_text('{"program": "ContrastiveSeg", "run_format": 99}')
    before = _left(a_full_run.path)

    with pytest.raises(BadFolder, match="is a run of a later version"):
        delete_run(a_full_run)
    assert _left(a_full_run.path) == before
