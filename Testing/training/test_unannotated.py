"""Which scans without annotation are learned from, and why the others are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ContrastiveSegLib.dataset.cases import Case, find_cases
from ContrastiveSegLib.errors import BadFolder
from ContrastiveSegLib.file_io.files import write_image
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.prepared_cache import Outcome, Recipe, prepare_cases
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.session.reporter import Reporter
from ContrastiveSegLib.settings.job_settings import CaseSelection, FinetuneSettings, PretrainSettings
from ContrastiveSegLib.training.unannotated import (
    choose_unannotated,
    find_unannotated,
    prepare_unannotated,
    was_pretrained,
    with_reason,
)

GRID = WorkingGrid("axial", 4.0, 0.0, (16, 16))
BOX = Geometry((24, 24, 6), (4.0, 4.0, 10.0))


def write(folder: Path, *names: str, geometry: Geometry = BOX, low: float = 0.0, seed: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for n, name in enumerate(names):
        noise = np.random.default_rng((seed, n)).normal(low, 100, geometry.shape)
        write_image(folder / f"{name}.nii.gz", Volume(np.round(noise).astype(np.float32), geometry))


@pytest.fixture
def a_reporter(a_run_folder) -> Reporter:
    return Reporter(a_run_folder, "finetune")


def settings(tmp_path: Path, **more) -> FinetuneSettings:
    return FinetuneSettings(run=tmp_path / "run", labeled=tmp_path / "labeled", start="none", **more)


def found_names(found) -> list[str]:
    return [case.name for case in found.cases]


def test_the_folder_may_hold_the_annotated_cases_too(tmp_path, a_reporter):
    write(tmp_path / "scans", "patient001_a", "patient001_b", "patient002_a", "patient003_a")
    write(tmp_path / "labeled", "patient002_a", seed=5)
    same = [case for case in find_cases(tmp_path / "scans").cases if case.name == "patient001_a"]
    annotated = [*same, *find_cases(tmp_path / "labeled").cases]

    asked = settings(tmp_path, unlabeled=str(tmp_path / "scans"))
    found = find_unannotated(asked, a_reporter.run, annotated, a_reporter)

    assert found_names(found) == ["patient001_b", "patient003_a"]
    reasons = [out.reason for out in found.listing.left_out]
    assert reasons == ["annotated, and learned from with its labels"] * 2


def test_a_copy_of_an_annotated_image_is_recognized_by_what_it_holds(tmp_path, a_reporter):
    write(tmp_path / "labeled", "first")
    write(tmp_path / "scans", "renamed", "other", "another")  # `renamed` holds the same bytes

    reasons = reasons_of(tmp_path, a_reporter)

    assert reasons["renamed"] == "It is the image of the annotated case first, which is learned from already."
    assert reasons["other"] == reasons["another"] == ""


def test_scans_that_do_not_go_with_the_annotated_ones_are_left_out_by_name(tmp_path, a_reporter):
    write(tmp_path / "labeled", "first", seed=9)
    write(tmp_path / "scans", "alike", seed=1)
    write(tmp_path / "scans", "a_ct", seed=2, low=-800)
    write(tmp_path / "scans", "cropped", seed=3, geometry=replace(BOX, size=(10, 10, 6)))
    turned = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0)
    write(tmp_path / "scans", "turned", seed=4, geometry=replace(BOX, direction=turned))

    reasons = reasons_of(tmp_path, a_reporter)

    assert reasons["alike"] == ""
    assert reasons["a_ct"] == "It looks like a CT, and the annotated cases are no CT."
    assert reasons["cropped"] == "It shows 60 x 40 x 40 mm, an annotated case 60 x 96 x 96 mm."
    assert reasons["turned"].startswith("Its slices are turned by 90 degrees")
    assert "cropped: It shows 60 x 40 x 40 mm" in a_reporter.run.events.read_text()


def test_where_no_scan_goes_with_the_annotated_ones_each_is_named_and_none_teaches(tmp_path, a_reporter):
    write(tmp_path / "labeled", "first", seed=9)
    write(tmp_path / "scans", "one", "two", "three", "four", seed=2, low=-800)
    store, recipe = tmp_path / "prepared", Recipe(GRID, Intensities())
    annotated = prepare_cases(find_cases(tmp_path / "labeled").cases, store, recipe)
    asked = settings(tmp_path, unlabeled=str(tmp_path / "scans"))
    found = find_unannotated(asked, a_reporter.run, [], a_reporter)

    outcomes = prepare_unannotated(found, store, recipe, a_reporter, annotated=annotated)

    assert choose_unannotated(outcomes, [], a_reporter) == ()
    told = a_reporter.run.events.read_text()
    for name in ("one", "two", "three", "four"):
        assert f"{name}: It looks like a CT, and the annotated cases are no CT." in told
    assert "No scan without annotation can be used, and at least 3 are needed" in told


def test_scans_with_other_channels_are_left_out(make_case):
    outcome, other = (Outcome(a_case(), make_case(channels=n), "other", f"sum{n}") for n in (1, 2))

    judged = with_reason(other, [outcome])

    assert judged.prepared is None
    assert judged.reason == "It has 2 channels, the annotated cases have 1."


def test_patients_that_are_validated_on_or_left_out_are_not_learned_from(tmp_path, a_reporter):
    names = [f"patient{n:03d}_frame{frame:02d}" for n in range(1, 6) for frame in (1, 2)]
    write(tmp_path / "scans", *names)
    asked = settings(
        tmp_path, unlabeled=str(tmp_path / "scans"), cases=CaseSelection(leave_out=("patient005",))
    )
    found = find_unannotated(asked, a_reporter.run, [], a_reporter)
    outcomes = prepare_cases(found.cases, tmp_path / "prepared", Recipe(GRID, Intensities()))
    validation = [outcome.prepared for outcome in outcomes if outcome.case.name == "patient002_frame01"]

    chosen = choose_unannotated(outcomes, validation, a_reporter)

    assert {case.patient for case in chosen} == {"patient001", "patient003", "patient004"}
    assert all(case.annotation == "none" for case in chosen)
    assert "6 scans that nobody annotated are learned from too." in a_reporter.run.events.read_text()


def test_fewer_than_three_scans_are_not_learned_from(make_case, a_reporter):
    outcomes = [Outcome(a_case(), make_case(name)) for name in "ab"]

    assert choose_unannotated(outcomes, [], a_reporter) == ()
    assert choose_unannotated([], [], a_reporter) == ()

    told = a_reporter.run.events.read_text()
    assert "Only 2 of the scans without annotation can be used, and at least 3 are needed" in told
    assert "No scan without annotation can be used" in told


def test_empty_means_the_images_of_pretraining_without_those_left_out_there(tmp_path, a_reporter):
    write(tmp_path / "scans", "one", "two", "three", "four")
    run = RunFolder(tmp_path / "run")
    images = PretrainSettings(
        run=run.path, images=tmp_path / "scans", cases=CaseSelection(leave_out=("four",))
    )
    run.begin("pretrain", images)

    asked = settings(tmp_path, cases=CaseSelection(only=("somebody",), leave_out=("one",)))

    assert found_names(find_unannotated(asked, run, [], a_reporter)) == ["three", "two"]
    assert find_unannotated(replace(asked, unlabeled="none"), run, [], a_reporter) is None
    assert was_pretrained(asked, run)
    assert not was_pretrained(asked, RunFolder(tmp_path / "other"))


def test_without_pretraining_there_are_no_scans(tmp_path, a_reporter):
    assert find_unannotated(settings(tmp_path), a_reporter.run, [], a_reporter) is None


def test_scans_of_pretraining_that_are_gone_are_said_and_a_named_folder_is_refused(tmp_path, a_reporter):
    run = RunFolder(tmp_path / "run")
    run.begin("pretrain", PretrainSettings(run=run.path, images=tmp_path / "gone"))

    assert find_unannotated(settings(tmp_path), run, [], a_reporter) is None
    assert "The scans of pre-training are not learned from here" in a_reporter.run.events.read_text()
    with pytest.raises(BadFolder):
        find_unannotated(settings(tmp_path, unlabeled=str(tmp_path / "gone")), run, [], a_reporter)


def a_case(name: str = "case") -> Case:
    return Case(name, (Path(f"{name}.nii.gz"),))


def reasons_of(tmp_path: Path, reporter: Reporter) -> dict[str, str]:
    """Why each scan is left out beside those in `labeled`; empty where it is not."""
    store = tmp_path / "prepared"
    annotated = prepare_cases(find_cases(tmp_path / "labeled").cases, store, Recipe(GRID, Intensities()))
    asked = settings(tmp_path, unlabeled=str(tmp_path / "scans"))
    found = find_unannotated(asked, reporter.run, [], reporter)
    outcomes = prepare_unannotated(found, store, Recipe(GRID, Intensities()), reporter, annotated=annotated)
    return {outcome.case.name: outcome.reason for outcome in outcomes}
