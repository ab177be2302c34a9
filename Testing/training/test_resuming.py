"""A training can be interrupted anywhere and ends with the same bits."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from torch import Tensor

from ContrastiveSegLib.errors import Cancelled
from ContrastiveSegLib.session.device import Compute
from ContrastiveSegLib.training.checkpoint import load_state
from ContrastiveSegLib.training.loop import Training
from Testing.training.probing import (
    CPU,
    ROOT,
    STEPS,
    Probe,
    Witness,
    a_method,
    assert_identical,
    how,
    probe,
    weights_after,
)


@pytest.mark.parametrize("average", [0.0, 0.9])
@pytest.mark.parametrize("stop_at", [1, 3, 4, 6])
def test_a_cancelled_and_resumed_training_ends_with_the_same_bits(tmp_path, a_recipe, stop_at, average):
    expected = weights_after(how(tmp_path / "whole", recipe=a_recipe, average=average))

    part = how(tmp_path / "part", recipe=a_recipe, average=average)
    with pytest.raises(Cancelled):
        weights_after(part, Witness(lambda step: step == stop_at))
    resumed = weights_after(how(tmp_path / "part", recipe=a_recipe, average=average))

    assert_identical(resumed, expected)


def test_a_training_cancelled_after_every_step_ends_with_the_same_bits(tmp_path):
    expected = weights_after(how(tmp_path / "whole"))

    for _ in range(STEPS):
        with pytest.raises(Cancelled):
            weights_after(how(tmp_path / "part"), Witness(lambda _: True))

    assert_identical(weights_after(how(tmp_path / "part")), expected)


def test_a_training_that_crashed_goes_on_from_the_end_of_its_last_epoch(tmp_path, a_recipe):
    def crash(step: int) -> bool:
        if step == 5:
            raise KeyError("crash")
        return False

    expected = weights_after(how(tmp_path / "whole", recipe=a_recipe))
    with pytest.raises(KeyError, match="crash"):
        weights_after(how(tmp_path / "part", recipe=a_recipe), Witness(crash))
    watch = Witness()

    resumed = weights_after(how(tmp_path / "part", recipe=a_recipe), watch)

    assert watch.steps == STEPS - 3
    assert_identical(resumed, expected)


def test_a_killed_process_is_resumed_with_the_same_bits(tmp_path):
    expected = weights_after(how(tmp_path / "whole"))
    command = [
        sys.executable,
        str(ROOT / "Testing/training/probing.py"),
        tmp_path / "part",
        STEPS,
        "sgd_cosine",
        5,
    ]

    killed = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )

    assert killed.returncode not in (0, 1), killed.stderr.decode()
    assert load_state(tmp_path / "part", CPU.device)["step"] == 4
    assert_identical(weights_after(how(tmp_path / "part")), expected)


def test_a_finished_training_is_not_repeated(tmp_path):
    expected = weights_after(how(tmp_path / "last"))
    watch = Witness()

    again = weights_after(how(tmp_path / "last"), watch)

    assert watch.steps == 0
    assert_identical(again, expected)


def test_cancelling_saves_and_says_how_to_go_on(tmp_path):
    with pytest.raises(Cancelled, match=r"cancelled after step 2 of 7; everything is saved\. Start it again"):
        probe(how(tmp_path / "last"), Probe(), Witness(lambda step: step == 2))

    assert load_state(tmp_path / "last", CPU.device)["step"] == 2


def test_the_state_is_saved_when_the_time_is_up(tmp_path):
    saved = []

    def look(_: int) -> bool:
        state = load_state(tmp_path / "last", CPU.device)
        saved.append(state["step"] if state else 0)
        return False

    probe(how(tmp_path / "last", epoch=100, checkpoint_every_s=0), Probe(), Witness(look))
    assert saved == [1, 2, 3, 4, 5, 6, 7]

    saved.clear()
    probe(how(tmp_path / "last", epoch=3, checkpoint_every_s=1000), Probe(), Witness(look))
    assert saved == []  # finished


def test_at_the_end_of_each_epoch_the_state_is_saved(tmp_path):
    saved = []

    def look(_: int) -> bool:
        state = load_state(tmp_path / "last", CPU.device)
        saved.append(state["step"] if state else 0)
        return False

    probe(how(tmp_path / "last"), Probe(), Witness(look))

    assert saved == [0, 0, 3, 3, 3, 6, 7]


def test_the_best_weights_survive_an_interruption(tmp_path):
    best = {}

    def score(step: int) -> float:
        best.setdefault(step, learner.weight.item())
        return -step

    learner = Probe()
    with pytest.raises(Cancelled):
        probe(how(tmp_path / "last", score=score), learner, Witness(lambda step: step == 4))
    learner = probe(how(tmp_path / "last", score=score), Probe())

    assert learner.weight.item() == best[3]


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_trains_and_resumes(tmp_path, precision):
    compute = Compute(torch.device("cpu"), precision)
    expected = weights_after(how(tmp_path / "whole", compute=compute))

    with pytest.raises(Cancelled):
        weights_after(how(tmp_path / "part", compute=compute), Witness(lambda step: step == 4))
    resumed = weights_after(how(tmp_path / "part", compute=compute))

    assert_identical(resumed, expected)
    assert all(tensor.isfinite().all() for tensor in resumed.values())
    start = a_method().state_dict()
    assert not torch.equal(
        resumed["network.encoder.center.2.weight"], start["network.encoder.center.2.weight"]
    )


def test_the_scale_of_float16_gradients_survives_an_interruption(tmp_path, a_recipe):
    """At first the scaled gradient is infinite; each such step is left out and halves the scale."""
    compute = Compute(torch.device("cpu"), "float16")

    def huge(probe: Probe, _: int) -> Tensor:
        return 1e36 * probe.weight.sum()

    def training(state: str) -> Training:
        return how(tmp_path / state, steps=12, compute=compute, recipe=a_recipe)

    whole = probe(training("whole"), Probe(huge))
    with pytest.raises(Cancelled):
        probe(training("part"), Probe(huge), Witness(lambda step: step == 5))
    resumed = probe(training("part"), Probe(huge))

    assert resumed.weight.item() == whole.weight.item() != 1
