"""Several processes do a job on the command line: what they leave behind is what one would have left."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from safetensors.torch import load_file

from ContrastiveSegLib.__main__ import INTERRUPTED, main
from ContrastiveSegLib.runs.events import read_new
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="several processes are refused on Windows")

COMPUTE = ["--device", "cpu", "--precision", "float32"]
PRETRAIN = [
    "--method",
    "simclr",
    "--optimizer",
    "sgd",
    "--steps",
    "6",
    "--base-channels",
    "4",
]
PRETRAIN += [*COMPUTE, "--patch", "32", "32", "--spacing", "6"]
FINETUNE = ["--steps", "4", "--batch", "5", "--unlabeled", "none", "--lr", "1e-4", *COMPUTE]


def test_what_two_began_three_go_on_with_and_two_fine_tune_ends_as_with_one(
    phantoms, tmp_path, start_together
):
    alone, shared = RunFolder(tmp_path / "alone"), RunFolder(tmp_path / "shared")
    pretrain, finetune = (
        ["pretrain", str(shared.path), "--images", str(phantoms), *PRETRAIN, "--batch", "7"],
        ["finetune", str(shared.path), "--labeled", str(phantoms / "labeled"), *FINETUNE],
    )

    stopped = start_together(["-m", "Testing.distributed.stopping", "3", *pretrain], 2)
    went_on = start_together(["-m", "ContrastiveSegLib", *pretrain], 3)
    tuned = start_together(["-m", "ContrastiveSegLib", *finetune], 2)

    assert [process.returncode for process in stopped] == [INTERRUPTED] * 2, stopped[0].stderr
    assert "Training was cancelled after step 3 of 6; everything is saved." in stopped[0].stderr
    assert "cancelled" not in stopped[1].stderr
    assert [process.returncode for process in (*went_on, *tuned)] == [0] * 5, (
        went_on[0].stderr + tuned[0].stderr
    )
    for words in (pretrain, finetune):
        assert main([words[0], str(alone.path), *words[2:]]) == 0
    _assert_alike(ModelFolder(alone.pretrain), ModelFolder(shared.pretrain), 1e-5)
    # In float32 AdamW makes steps of rounding where the gradient is 0: biases before a batch norm.
    _assert_alike(ModelFolder(alone.finetune(1)), ModelFolder(shared.finetune(1)), 1e-3)
    _compare_predictions(alone, phantoms / "test", start_together)
    ends = [event["outcome"] for event in read_new(shared.events)[0] if event["kind"] == "end"]
    assert ends == ["Cancelled", "done", "done"]  # said by the first process alone
    tables = [ModelFolder(run.pretrain).cases.read_text("utf-8") for run in (shared, alone)]
    assert tables[0] == tables[1]


def test_when_memory_ends_in_one_process_all_go_on_with_half_of_the_batch(phantoms, tmp_path, start_together):
    alone, shared = RunFolder(tmp_path / "alone"), RunFolder(tmp_path / "shared")
    words = ["--images", str(phantoms), *PRETRAIN, "--batch"]

    ended = start_together(
        ["-m", "Testing.distributed.running_out", "3", "pretrain", str(shared.path), *words, "8"], 2
    )

    assert [process.returncode for process in ended] == [0, 0], ended[0].stderr + ended[1].stderr
    assert "Memory ran out; going on with 4 images per step." in ended[0].stderr
    # From the first step on, where the last state was saved.
    assert main(["pretrain", str(alone.path), *words, "4"]) == 0
    _assert_alike(ModelFolder(alone.pretrain), ModelFolder(shared.pretrain), 1e-5)


def test_processes_with_other_settings_end_all_and_name_the_difference(phantoms, tmp_path, start_together):
    words = [
        "-m",
        "ContrastiveSegLib",
        "pretrain",
        str(tmp_path / "run"),
        "--images",
        str(phantoms),
        *PRETRAIN,
        "--batch",
    ]

    ended = start_together([*words, "7"], 2, by_rank={1: [*words, "6"]})

    assert [process.returncode for process in ended] == [1, 1]
    for process in ended[:1]:
        assert (
            "Process 1 of 2 has other settings than process 0: batch is 6 here and 7 there" in process.stderr
        )


def _compare_predictions(run: RunFolder, images: Path, start_together: Callable[..., Any]) -> None:
    """Two processes share the cases out, and leave the same files as one, with one table of all."""
    words = ["predict", str(run.path), "--images", str(images), *COMPUTE, "--output"]
    alone, shared = run.path.parent / "by one", run.path.parent / "by two"

    assert main([*words, str(alone)]) == 0
    ended = start_together(["-m", "ContrastiveSegLib", *words, str(shared)], 2)

    assert [process.returncode for process in ended] == [0, 0], ended[0].stderr + ended[1].stderr
    names = sorted(path.name for path in alone.iterdir())
    assert names == sorted(path.name for path in shared.iterdir())
    for name in (name for name in names if name.endswith(".seg.nrrd")):
        one, two = (sitk.GetArrayFromImage(sitk.ReadImage(str(folder / name))) for folder in (alone, shared))
        assert np.array_equal(one, two)
    table = (shared / "predict_cases.csv").read_text("utf-8")
    assert table == (alone / "predict_cases.csv").read_text("utf-8")


def _assert_alike(one: ModelFolder, other: ModelFolder, far: float) -> None:
    first, second = load_file(one.weights), load_file(other.weights)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.allclose(second[name], tensor, rtol=far, atol=far), name
