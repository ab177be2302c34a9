"""A run lies apart from the data it reads; where it comes close, that is said, and habits keep working."""

from __future__ import annotations

from pathlib import Path

import pytest

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.runs.folder_overlap import remarks_on_places
from ContrastiveSegLib.settings.job_settings import (
    FinetuneSettings,
    PredictSettings,
    PretrainSettings,
    SuggestSettings,
)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "data" / "images").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "data")
    return tmp_path


def test_the_folder_of_the_images_is_no_run(here: Path) -> None:
    for name in ("data", "link", "data/images/.."):
        run = here / name
        with pytest.raises(BadSetting, match=r"is also the folder of --images.*Choose a new folder"):
            remarks_on_places(run, PretrainSettings(run=run, images=here / "data"))


def test_the_folder_of_the_labeled_or_further_cases_is_no_run(here: Path) -> None:
    run = here / "data"
    with pytest.raises(BadSetting, match="is also the folder of --labeled"):
        remarks_on_places(run, FinetuneSettings(run=run, labeled=run))
    with pytest.raises(BadSetting, match="is also the folder of --extra-labeled"):
        remarks_on_places(run, FinetuneSettings(run=run, labeled=here / "other", extra_labeled=run))


@pytest.mark.parametrize("room", ["prepared", "pretrain", "finetune/01", "predictions"])
def test_what_the_jobs_keep_in_a_run_is_no_data(here: Path, room: str) -> None:
    run = here / "run"
    with pytest.raises(BadSetting, match=r"is a folder that the run .* writes for itself"):
        remarks_on_places(run, FinetuneSettings(run=run, labeled=run / room))


@pytest.mark.parametrize("room", ["annotations", "annotations/labels", "pretrain", "panel"])
def test_results_do_not_go_where_a_run_keeps_other_things(here: Path, room: str) -> None:
    run = here / "run"
    with pytest.raises(BadSetting, match=r"keeps files of its own\. Choose another folder, such as"):
        remarks_on_places(run, PredictSettings(run=run, images=here / "data", output=run / room))


@pytest.mark.parametrize("place", ["run", "run/pretrain", "run/annotations", "data", "link"])
def test_prepared_scans_do_not_lie_among_other_files(here: Path, place: str) -> None:
    run = here / "run"
    for room in ("pretrain", "annotations"):
        (run / room).mkdir(parents=True)
    with pytest.raises(BadSetting, match=r"--prepared .* is also a folder of .*holds nothing else"):
        remarks_on_places(run, PretrainSettings(run=run, images=here / "data", prepared=here / place))


@pytest.mark.parametrize("place", ["run/prepared", "elsewhere"])
def test_prepared_scans_may_lie_in_a_folder_of_their_own(here: Path, place: str) -> None:
    settings = PretrainSettings(run=here / "run", images=here / "data", prepared=here / place)
    assert remarks_on_places(here / "run", settings) == ()


def test_a_part_of_the_data_is_no_run(here: Path) -> None:
    (here / "data" / "images" / "a.nii").touch()
    (here / "data" / "images" / "sub").mkdir()

    for name in ("data/images", "link/images/", "data/images/sub/.."):
        with pytest.raises(BadSetting, match=r"holds other files.*Choose a new folder"):
            remarks_on_places(here / name, PretrainSettings(run=here / name, images=here / "data"))
    (empty,) = remarks_on_places(
        here / "data/images/sub", PretrainSettings(run=here / "data/images/sub", images=here / "data")
    )
    assert "what it holds is not taken for data" in empty


def test_a_disk_that_knows_no_capitals_has_one_folder_for_both_spellings(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "samefile", lambda one, other: str(one).lower() == str(other).lower())

    with pytest.raises(BadSetting, match="is also the folder of --images"):
        remarks_on_places(here / "DATA", PretrainSettings(run=here / "DATA", images=here / "data"))
    with pytest.raises(BadSetting, match="writes for itself"):
        remarks_on_places(here / "RUN", PretrainSettings(run=here / "RUN", images=here / "run/prepared"))


def test_a_run_among_the_images_or_around_them_is_said(here: Path) -> None:
    data, run = here / "data", here / "data" / "run"

    (inside,) = remarks_on_places(run, PretrainSettings(run=run, images=data))
    (around,) = remarks_on_places(data, PretrainSettings(run=data, images=data / "images"))
    (beside,) = remarks_on_places(
        here / "run", PredictSettings(run=here / "run", images=data, output=data / "images")
    )

    assert "lies inside --images" in inside
    assert "lies inside the run folder" in around
    assert "is marked as predicted" in beside


def test_what_people_are_used_to_needs_no_remark(here: Path) -> None:
    run, data = here / "run", here / "data"
    habits = (
        PretrainSettings(run=run, images=data),
        FinetuneSettings(run=run, labeled=run / "annotations"),
        FinetuneSettings(run=run, labeled=data, extra_labeled=run / "annotations"),
        PredictSettings(run=run, images=data),
        PredictSettings(run=run, images=data, output=run / "predictions"),
        PredictSettings(run=run, images=data, output=run / "predictions_tta"),
        PredictSettings(run=run, images=run / "panel" / "input" / "scan"),
        PredictSettings(run=run, images=data, output=here / "results"),
        SuggestSettings(run=run, images=data),
    )
    assert [remarks_on_places(run, settings) for settings in habits] == [()] * len(habits)
