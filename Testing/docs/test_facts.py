"""Figures that documents and help texts repeat for readers are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ContrastiveSegLib.finetuning import _decisions, _training
from ContrastiveSegLib.imaging.grid import CLEARLY_COARSER, LARGEST_SIDES
from ContrastiveSegLib.jobs import pretrain, suggest
from ContrastiveSegLib.postprocessing.expected_dice import FEWEST
from ContrastiveSegLib.preprocessing import plan
from ContrastiveSegLib.preprocessing.intensities import CT_WINDOW, PERCENTILES
from ContrastiveSegLib.settings.field_help import field_help
from ContrastiveSegLib.settings.job_settings import FinetuneSettings, PretrainSettings, SuggestSettings
from ContrastiveSegLib.training import split

NUMBERS = {"three": 3, "four": 4, "ten": 10, "a fifth": 0.2}
PAGES = {
    "largest side of a patch": (
        "concepts/working-grid.md",
        r"up to (\d+) voxels on a CPU and (\d+) on a GPU",
        (LARGEST_SIDES["cpu"], LARGEST_SIDES["gpu"]),
    ),
    "clearly coarser axis": ("concepts/working-grid.md", r"\(factor ([\d.]+)\)", (CLEARLY_COARSER,)),
    "window of CT": ("concepts/working-grid.md", r"by default from (-\d+) to (\d+) HU", CT_WINDOW),
    "percentiles": ("concepts/working-grid.md", r"from the ([\d.]+)th to the ([\d.]+)th", PERCENTILES),
    "steps of fine-tuning": ("jobs/finetune.md", r"(\d+) steps by default", (plan.FINETUNING_STEPS,)),
    "scans that are needed": ("jobs/finetune.md", r"at least (\w+) such scans", (plan.FEWEST_SCANS,)),
    "steps of all strategies": ("strategies/index.md", r"(\d+) steps, more if", (plan.FINETUNING_STEPS,)),
    "rate of fine-tuning": ("strategies/index.md", r"learning rate of (\S+)\. ", (_decisions.LEARNING_RATE,)),
    "decay of weights": ("strategies/index.md", r"with a decay of ([\d.]+)\.", (_training.AVERAGE,)),
    "validation": (
        "strategies/index.md",
        r"With (\w+) or more patients (a fifth) of them",
        (split.PATIENTS_WORTH_VALIDATING, split.SHARE_FOR_VALIDATION),
    ),
    "rates of pre-training": (
        "methods/index.md",
        r"learning rate of (\S+)\. It learns.*?rate begins at ([\d.]+) and",
        (pretrain.LEARNING_RATE["adamw"], pretrain.LEARNING_RATE["sgd"]),
    ),
    "epochs": ("jobs/pretrain.md", r"all volumes (\d+) times", (PretrainSettings.epochs,)),
    "cases that calibrate": ("jobs/predict.md", r"at least (\w+) annotated cases were kept", (FEWEST,)),
}
HELP = {
    "batch": (PretrainSettings, "batch", (plan.PRETRAINING_BATCH,)),
    "count": (SuggestSettings, "count", (suggest.COUNT,)),
    "validation": (FinetuneSettings, "validation", (split.SHARE_FOR_VALIDATION,)),
}


@pytest.mark.parametrize("fact", PAGES)
def test_a_page_says_what_the_code_does(fact: str, root: Path) -> None:
    page, pattern, values = PAGES[fact]

    found = re.search(pattern, (root / "docs" / page).read_text(encoding="utf-8"), re.DOTALL)

    assert found, f"{page} does not say it in these words"
    assert tuple(_number(word) for word in found.groups()) == tuple(values)


@pytest.mark.parametrize("fact", HELP)
def test_the_help_says_what_the_code_does(fact: str) -> None:
    cls, name, values = HELP[fact]

    found = re.findall(r"empty: ([\d.]*\d)", field_help(cls)[name])

    assert tuple(map(float, found)) == values


def _number(word: str) -> float:
    return NUMBERS[word] if word in NUMBERS else float(word)
