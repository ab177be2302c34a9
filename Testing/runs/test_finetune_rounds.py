"""Each set of settings and labels is a round of fine-tuning of its own; the same ones are taken up again."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from ContrastiveSegLib.errors import BadCheckpoint, BadSetting
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from ContrastiveSegLib.settings.job_settings import FinetuneSettings


def finish(folder: Path) -> None:
    """What training does last."""
    folder.mkdir(parents=True, exist_ok=True)
    ModelFolder(folder).model.write_text("{}")


def test_each_round_of_finetuning_decides_for_itself(
    a_run: RunFolder, a_finetuning: FinetuneSettings
) -> None:
    a_run.begin_finetune(a_finetuning)
    a_run.begin_finetune(a_finetuning, data="more")
    decided = [a_run.decide("finetune", lambda n=n: {"steps": n}, round_number=n) for n in (1, 2)]

    assert decided == [{"steps": 1}, {"steps": 2}]
    assert a_run.begin_finetune(a_finetuning, data="more") == (2, True)


def test_rounds_of_finetuning_are_numbered(a_run: RunFolder, a_finetuning: FinetuneSettings) -> None:
    first = a_run.begin_finetune(a_finetuning)
    finish(a_run.finetune(1))
    second = a_run.begin_finetune(dataclasses.replace(a_finetuning, seed=1))

    assert (first, second) == ((1, False), (2, False))
    assert a_run.finetune_rounds() == (1, 2)
    assert a_run.finetune_rounds(finished=True) == (1,)
    assert a_run.read_settings("finetune", FinetuneSettings, round_number=2).seed == 1
    assert a_run.read_settings("finetune", FinetuneSettings, round_number=1) == a_finetuning


def test_the_same_finetuning_is_taken_up_again_even_after_others(
    a_run: RunFolder, a_finetuning: FinetuneSettings
) -> None:
    a_run.begin_finetune(a_finetuning)
    a_run.begin_finetune(dataclasses.replace(a_finetuning, seed=1))

    assert a_run.begin_finetune(a_finetuning) == (1, True)


def test_an_option_that_older_settings_do_not_hold_had_its_default(
    a_run: RunFolder, a_finetuning: FinetuneSettings
) -> None:
    a_run.begin_finetune(a_finetuning)
    path = ModelFolder(a_run.finetune(1)).settings
    written = json.loads(path.read_text())
    del written["finetune"]["options"]["consistency"]
    path.write_text(json.dumps(written))

    assert a_run.begin_finetune(a_finetuning) == (1, True)
    other = dataclasses.replace(a_finetuning, options={"rotation": 10.0, "consistency": 0.5})
    assert a_run.begin_finetune(other) == (2, False)


def test_a_round_with_an_option_that_is_no_more_does_not_stand_in_the_way(
    a_run: RunFolder, a_finetuning: FinetuneSettings
) -> None:
    a_run.finetune(1).mkdir(parents=True)
    settings = {"finetune": {"labeled": "/data/labeled", "options": {"rotation": 10.0, "zoom": 2}}}
    ModelFolder(a_run.finetune(1)).settings.write_text(json.dumps(settings))

    assert a_run.begin_finetune(a_finetuning) == (2, False)


def test_an_option_the_method_does_not_have_is_refused_before_anything_is_written(
    a_run: RunFolder, a_finetuning: FinetuneSettings
) -> None:
    with pytest.raises(BadSetting, match="There is no setting 'zoom' in the settings of supervised"):
        a_run.begin_finetune(dataclasses.replace(a_finetuning, options={"zoom": 2}))

    assert not a_run.finetune(1).exists()


def test_more_labels_make_a_new_round(a_run: RunFolder, a_finetuning: FinetuneSettings) -> None:
    a_run.begin_finetune(a_finetuning, data="2 cases")

    assert a_run.begin_finetune(a_finetuning, data="3 cases") == (2, False)
    assert a_run.begin_finetune(a_finetuning, data="3 cases") == (2, True)
    assert a_run.begin_finetune(a_finetuning, data="2 cases") == (1, True)


def test_a_round_killed_before_its_settings_were_written_is_used_again(
    a_run: RunFolder, a_finetuning: FinetuneSettings
) -> None:
    a_run.finetune(1).mkdir(parents=True)

    assert a_run.begin_finetune(a_finetuning) == (1, False)


@pytest.mark.parametrize(
    "damage",
    ["", '{"finetune": ', "[1]", '{"finetune": 3}', "{}", '{"finetune": {"labeled": 3}}', "\x00" * 80],
)
def test_a_round_whose_settings_are_damaged_is_named_with_what_to_do(
    a_run: RunFolder, a_finetuning: FinetuneSettings, damage: str
) -> None:
    a_run.begin_finetune(a_finetuning)
    path = ModelFolder(a_run.finetune(1)).settings
    path.write_text(damage)

    for read in (
        lambda: a_run.begin_finetune(a_finetuning),
        lambda: a_run.read_settings("finetune", FinetuneSettings, round_number=1),
    ):
        with pytest.raises(BadCheckpoint) as refused:
            read()
        assert refused.value.what.startswith(
            f"{path}, where the run wrote down what it was asked, is damaged"
        )
        assert f"move the folder {path.parent} out of the run" in refused.value.remedy
    assert path.read_text() == damage


def test_a_finished_round_without_its_settings_is_never_written_into(
    a_run: RunFolder, a_finetuning: FinetuneSettings
) -> None:
    a_run.begin_finetune(a_finetuning)
    model = ModelFolder(a_run.finetune(1))
    model.model.write_text("{}")
    model.settings.unlink()

    assert a_run.begin_finetune(a_finetuning) == (2, False)


def test_rounds_are_counted_beyond_ninety_nine(a_run: RunFolder, a_finetuning: FinetuneSettings) -> None:
    for number in (99, 100):
        a_run.finetune(number).mkdir(parents=True)
        settings = json.dumps({"finetune": {"labeled": f"/other/{number}"}})
        ModelFolder(a_run.finetune(number)).settings.write_text(settings)

    assert a_run.begin_finetune(a_finetuning) == (101, False)
