"""A run folder remembers what was asked, and refuses what was not."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
from pathlib import Path

import pytest

from ContrastiveSegLib.errors import BadCheckpoint, BadSetting, CannotWrite, RunInUse
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from ContrastiveSegLib.settings.job_settings import Compute, FinetuneSettings, GridSettings, PretrainSettings


@pytest.fixture
def some_settings(a_run: RunFolder) -> PretrainSettings:
    return PretrainSettings(
        method="pcl",
        run=a_run.path,
        images=Path("/data/images"),
        grid=GridSettings(spacing=1.5),
        options={"threshold": 0.35, "temperature": 0.2},
    )


def finish(folder: Path) -> None:
    """What training does last."""
    folder.mkdir(parents=True, exist_ok=True)
    ModelFolder(folder).model.write_text("{}")


def test_every_name_of_the_design_is_spelled_here() -> None:
    run = RunFolder(Path("run"))

    spelled = {
        run.settings: "settings.json",
        run.events: "events.jsonl",
        run.log: "log.txt",
        run.cancel_request: "cancel.request",
        run.prepared: "prepared",
        run.pretrain: "pretrain",
        run.finetune(1): "finetune/01",
        run.finetune(12): "finetune/12",
        run.predictions: "predictions",
        run.prediction("a"): "predictions/a.seg.nrrd",
        run.prediction("a", suffix="nii.gz", folder=Path("run/out")): "out/a.nii.gz",
        run.uncertainty("a"): "predictions/a_uncertainty.nrrd",
        ModelFolder(run.pretrain).last: "pretrain/last",
        ModelFolder(run.pretrain).weights: "pretrain/model.safetensors",
        ModelFolder(run.pretrain).model: "pretrain/model.json",
        ModelFolder(run.pretrain).environment: "pretrain/environment.json",
        ModelFolder(run.pretrain).cases: "pretrain/cases.csv",
        ModelFolder(run.finetune(1)).cases: "finetune/01/cases.csv",
        ModelFolder(run.finetune(1)).labels: "finetune/01/labels.json",
        ModelFolder(run.finetune(1)).metrics: "finetune/01/metrics.csv",
    }
    assert {path: path.relative_to("run").as_posix() for path in spelled} == spelled


def test_labels_are_those_of_the_last_round_that_has_some(a_run: RunFolder) -> None:
    labels = [ModelFolder(path).labels for path in (a_run.path, a_run.finetune(1), a_run.finetune(2))]
    for number in (1, 2):
        finish(a_run.finetune(number))
        ModelFolder(a_run.finetune(number)).settings.write_text("{}")

    found = [a_run.labels]
    for path in labels:
        path.write_text("{}")
        found.append(a_run.labels)

    assert found == [labels[0], *labels]  # of version 0.1, then of a round


def test_a_training_without_a_table_of_cases_has_that_of_the_run(a_run: RunFolder) -> None:
    model = ModelFolder(a_run.pretrain)
    before = a_run.cases_of(model)
    finish(a_run.pretrain)
    model.cases.touch()

    assert [before, a_run.cases_of(model)] == [a_run.path / "cases.csv", model.cases]


def test_settings_are_written_before_the_first_step(
    a_run: RunFolder, some_settings: PretrainSettings
) -> None:
    is_known = a_run.begin("pretrain", some_settings)

    written = json.loads(a_run.settings.read_text(encoding="utf-8"))["pretrain"]
    assert not is_known
    assert written["images"] == "/data/images"
    assert written["grid"]["spacing"] == 1.5
    assert "run" not in written
    assert a_run.read_settings("pretrain", PretrainSettings) == some_settings


def test_the_same_settings_resume_and_leave_the_file_as_it_is(
    a_run: RunFolder, some_settings: PretrainSettings
) -> None:
    a_run.begin("pretrain", some_settings)
    before = (a_run.settings.read_bytes(), a_run.settings.stat().st_mtime_ns)

    is_known = a_run.begin("pretrain", some_settings)

    assert is_known
    assert (a_run.settings.read_bytes(), a_run.settings.stat().st_mtime_ns) == before


def test_another_device_resumes_too(a_run: RunFolder, some_settings: PretrainSettings) -> None:
    a_run.begin("pretrain", some_settings)
    elsewhere = dataclasses.replace(some_settings, compute=Compute(device="cuda:1", threads=2))

    assert a_run.begin("pretrain", elsewhere)


def test_a_moved_run_resumes(a_run: RunFolder, some_settings: PretrainSettings, tmp_path: Path) -> None:
    a_run.begin("pretrain", some_settings)
    moved = RunFolder(a_run.path.rename(tmp_path / "moved"))

    assert moved.begin("pretrain", dataclasses.replace(some_settings, run=moved.path))


def test_other_settings_are_refused_by_name_and_change_nothing(
    a_run: RunFolder, some_settings: PretrainSettings
) -> None:
    a_run.begin("pretrain", some_settings)
    before = a_run.settings.read_bytes()
    other = dataclasses.replace(
        some_settings, epochs=7, grid=GridSettings(spacing=2), options={"threshold": 0.1, "temperature": 0.2}
    )

    with pytest.raises(BadSetting) as caught:
        a_run.begin("pretrain", other)

    assert str(caught.value) == (
        f"The run {a_run.path} was started with other settings: epochs (was 100, now 7), "
        "grid.spacing (was 1.5, now 2.0), options.threshold (was 0.35, now 0.1). "
        "Start it with the same settings to resume, or choose a new run folder."
    )
    assert a_run.settings.read_bytes() == before


def test_other_settings_take_the_place_of_those_nothing_was_learned_from(a_run, some_settings):
    a_run.begin("pretrain", some_settings)
    a_run.decide("pretrain", lambda: {"batch": 3})
    other = dataclasses.replace(some_settings, epochs=7)

    assert not a_run.begin("pretrain", other, replace=True)

    assert a_run.read_settings("pretrain", type(other)) == other
    assert a_run.decide("pretrain", lambda: {"batch": 5}) == {"batch": 5}


def test_settings_that_are_not_allowed_are_never_written(
    a_run: RunFolder, some_settings: PretrainSettings
) -> None:
    with pytest.raises(BadSetting, match="'epochs' is 0; allowed is a whole number from 1 to 100000"):
        a_run.begin("pretrain", dataclasses.replace(some_settings, epochs=0))

    assert not a_run.settings.exists()


def test_each_job_has_its_own_object(a_run: RunFolder, some_settings: PretrainSettings) -> None:
    a_run.begin("first", some_settings)
    a_run.begin("second", dataclasses.replace(some_settings, epochs=7))

    assert list(json.loads(a_run.settings.read_text())) == ["first", "second"]
    assert a_run.read_settings("first", PretrainSettings).epochs == 100


def test_damaged_settings_are_not_overwritten(a_run: RunFolder, some_settings: PretrainSettings) -> None:
    a_run.settings.write_text("{")

    with pytest.raises(BadCheckpoint, match=r"is damaged: .* not readable as JSON.* Restore it from a copy"):
        a_run.begin("pretrain", some_settings)

    assert a_run.settings.read_text() == "{"


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EACCES, "you have no permission to write there"),
    ],
)
def test_a_refusal_of_the_disk_is_said(
    a_run: RunFolder,
    some_settings: PretrainSettings,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    reason: str,
) -> None:
    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)

    with pytest.raises(CannotWrite, match=f"settings.json cannot be written: {reason}"):
        a_run.begin("pretrain", some_settings)

    assert [path.name for path in a_run.path.iterdir()] == ["run.json"]


def test_what_was_decided_at_the_first_start_is_kept(
    a_run: RunFolder, some_settings: PretrainSettings
) -> None:
    a_run.begin("pretrain", some_settings)
    first = a_run.decide("pretrain", lambda: {"batch": 16, "patch": (128, 128)})
    second = a_run.decide("pretrain", lambda: {"batch": 8})

    assert first == second == {"batch": 16, "patch": [128, 128]}
    assert a_run.begin("pretrain", some_settings)


def test_a_model_is_finished_once_its_description_is_there(a_run: RunFolder) -> None:
    model = ModelFolder(a_run.pretrain)
    before = model.is_finished
    finish(a_run.pretrain)

    assert (before, model.is_finished) == (False, True)


def test_an_unmarked_folder_is_a_run_once_something_was_asked(
    a_run: RunFolder, some_settings: PretrainSettings, a_finetuning: FinetuneSettings, tmp_path: Path
) -> None:
    other = RunFolder(tmp_path / "other")
    (a_run.path / "run.json").unlink()
    before = (a_run.exists, other.exists)
    a_run.begin("pretrain", some_settings)
    other.begin_finetune(a_finetuning)

    assert before == (False, False)
    assert (a_run.exists, other.exists) == (True, True)


def test_cancel_can_be_asked_seen_and_forgotten(a_run: RunFolder) -> None:
    seen = [a_run.cancel_requested()]
    a_run.request_cancel()
    seen.append(a_run.cancel_requested())
    a_run.clear_cancel()
    a_run.clear_cancel()
    seen.append(a_run.cancel_requested())

    assert seen == [False, True, False]


def test_a_request_to_cancel_an_earlier_job_does_not_stop_the_next(a_run: RunFolder) -> None:
    a_run.request_cancel()

    with a_run.lock():
        assert not a_run.cancel_requested()


def test_a_refused_job_does_not_forget_the_request_to_the_one_that_runs(a_run: RunFolder) -> None:
    with a_run.lock():
        a_run.request_cancel()
        with pytest.raises(RunInUse, match="Another job is working in"), a_run.lock():
            pass

        assert a_run.cancel_requested()


def test_a_process_knows_the_runs_it_works_in(a_run: RunFolder) -> None:
    with a_run.lock():
        inside = RunFolder.held()

    assert inside == (RunFolder(a_run.path.resolve()),)
    assert RunFolder.held() == ()


def test_a_file_in_the_place_of_the_run_is_said(tmp_path: Path) -> None:
    (tmp_path / "run").touch()

    with pytest.raises(CannotWrite, match="run cannot be written: a file of that name is in the way"):
        RunFolder(tmp_path / "run").create()
