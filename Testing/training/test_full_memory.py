"""When memory ends the batch is halved, and no step is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ContrastiveSegLib.errors import Cancelled, TooLarge
from Testing.training.probing import (
    STEPS,
    Probe,
    Witness,
    how,
    probe,
)


def out_of_memory_above(images: int) -> Callable[[Probe, int], Tensor]:
    def loss(probe: Probe, _: int) -> Tensor:
        if probe.batches[-1] > images:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return probe.weight.square().sum()

    return loss


def test_when_memory_ends_the_batch_is_halved_and_the_training_goes_on(tmp_path):
    watch = Witness()

    learner = probe(how(tmp_path / "last", batch=10), Probe(out_of_memory_above(4)), watch)

    assert learner.batches == [10, 5, *[2] * STEPS]
    assert watch.steps == STEPS
    assert watch.warnings == [
        "Memory ran out; going on with 5 images per step.",
        "Memory ran out; going on with 2 images per step.",
    ]
    assert [facts for kind, facts in watch.events if kind == "warning"] == [{"batch": 5}, {"batch": 2}]


def test_a_batch_of_three_is_halved_to_two(tmp_path):
    assert probe(how(tmp_path / "last", batch=3), Probe(out_of_memory_above(2))).batches[:2] == [3, 2]


def test_memory_that_ends_later_loses_no_step(tmp_path):
    def loss(probe: Probe, call: int) -> Tensor:
        if call == 4:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return probe.weight.square().sum()

    watch = Witness()

    learner = probe(how(tmp_path / "last", batch=4), Probe(loss), watch)

    assert learner.batches == [4, 4, 4, 4, 2, 2, 2, 2]
    assert watch.steps == STEPS


def test_a_resumed_training_remembers_the_smaller_batch(tmp_path):
    with pytest.raises(Cancelled):
        probe(how(tmp_path / "last"), Probe(out_of_memory_above(2)), Witness(lambda step: step == 2))

    assert probe(how(tmp_path / "last"), Probe()).batches == [2] * (STEPS - 2)


def test_when_not_even_two_images_fit_the_remedy_is_told(tmp_path):
    with pytest.raises(
        TooLarge,
        match=r"Not even 2 images fit into the memory of cpu.*smaller --patch or fewer --base-channels",
    ):
        probe(how(tmp_path / "last", batch=8), Probe(out_of_memory_above(1)))


def test_other_errors_are_not_taken_for_full_memory(tmp_path):
    def loss(*_: object) -> Tensor:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        probe(how(tmp_path / "last"), Probe(loss))
