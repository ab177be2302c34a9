"""Whatever stands in an entry of settings.json or model.json, a job goes on or says which file is wrong."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.errors import BadCheckpoint
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.networks.weights import model_card_errors, read_model_card, seal_of
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from ContrastiveSegLib.settings.schema import from_dict
from ContrastiveSegLib.training.decided import decide
from ContrastiveSegLib.training.model_card import checked_card

GONE = object()
ODD = (None, True, 0, -1, 10**9, 10**30, math.nan, math.inf, "x", [], {}, [[1]], GONE)
SMALL = ["--device", "cpu", "--precision", "float32"]


def _places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every entry, however deep."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield (*above, key)
        yield from _places(value[key], (*above, key))


def _with(content: Any, place: tuple[Any, ...], value: object) -> Any:
    """A copy with something odd at that place."""
    changed = copy.deepcopy(content)
    holder = changed
    for key in place[:-1]:
        holder = holder[key]
    if value is GONE:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    return changed


def _each_odd_one(file: Path, *below: str) -> Iterator[str]:
    """Write the file anew for every entry below a key and every odd value; says which it was."""
    content = json.loads(file.read_text())
    start = content
    for key in below:
        start = start[key]
    for place in _places(start, below):
        for value in ODD:
            changed = _with(content, place, value)
            if "seal" in content and place != ("seal",):
                changed["seal"] = seal_of(changed)
            file.write_text(json.dumps(changed))
            yield f"{place}: {'gone' if value is GONE else value!r}"


@pytest.mark.parametrize(("job", "round_number"), [("pretrain", 0), ("finetune", 1)])
def test_every_odd_entry_of_what_was_decided_names_the_file(a_run: Path, job: str, round_number: int) -> None:
    folder = RunFolder(a_run)
    file, wrong, refused = folder.settings_of(round_number), [], 0

    for what in _each_odd_one(file, "decided", job):
        try:
            decided = decide(folder, job, dict, round_number=round_number)
            if not (
                0 < decided["lr"] <= 10 and 0 < decided["grid"]["spacing"] < 1e7 and decided["steps"] >= 1
            ):
                wrong.append(what)
        except BadCheckpoint as error:
            refused += 1
            if str(file) not in str(error) or "Delete the entry" not in str(error):
                wrong.append(f"{what}: {error}")

    assert wrong == []
    assert refused > 100


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_every_odd_entry_of_a_sealed_model_card_names_the_file(a_run: Path, stage: str) -> None:
    source = ModelFolder(RunFolder(a_run).pretrain if stage == "pretrain" else RunFolder(a_run).finetune(1))
    wrong, refused = [], 0

    for what in _each_odd_one(source.model):
        try:
            card = read_model_card(source)
            with model_card_errors(source):
                grid = (
                    from_dict(WorkingGrid, card["grid"]) if stage == "pretrain" else checked_card(card).grid
                )
            if not 0 < grid.spacing < 1e7:
                wrong.append(what)
        except BadCheckpoint as error:
            refused += 1
            if str(source.model) not in str(error):
                wrong.append(f"{what}: {error}")

    assert wrong == []
    assert refused > 100


def test_jobs_that_meet_odd_entries_say_so_in_words(
    a_run: Path, phantoms: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = RunFolder(a_run)
    model, settings = ModelFolder(folder.finetune(1)).model, folder.settings_of(1)
    card, asked = json.loads(model.read_text()), json.loads(settings.read_text())
    odd_card = _with(card, ("grid", "spacing"), 0.0)
    model.write_text(json.dumps(odd_card | {"seal": seal_of(odd_card)}))
    assert main(["predict", str(a_run), "--images", str(phantoms / "test" / "images"), *SMALL]) == 1
    assert f"{model} does not describe a model that can be used" in capsys.readouterr().err

    model.unlink()
    settings.write_text(json.dumps(_with(asked, ("decided", "finetune", "grid"), [1, 2])))
    words = ["finetune", str(a_run), "--labeled", str(phantoms / "labeled"), "--steps", "4", "--batch", "4"]
    assert main([*words, "--unlabeled", "none", *SMALL]) == 1
    said = capsys.readouterr().err
    assert f'What {settings} says under "decided" was damaged or changed' in said
    assert "Something unexpected" not in said
