"""The plan of a training follows from slices, patch and machine, and what was asked for stays."""

from __future__ import annotations

import pytest

from ContrastiveSegLib.preprocessing.plan import Plan, kind_of_machine, plan_finetuning, plan_pretraining


@pytest.mark.parametrize(
    ("slices", "asked", "expected"),
    [
        (6400, {"epochs": 100}, Plan(32, 200, 20_000)),
        (6400, {"epochs": 100, "batch": 64}, Plan(64, 100, 10_000)),
        (6400, {"epochs": 100, "steps": 7}, Plan(32, 200, 7)),
        (10, {"epochs": 3}, Plan(32, 50, 3)),  # less than one batch is one step; saved every 50
    ],
)
def test_pretraining_passes_over_the_slices(slices: int, asked: dict, expected: Plan) -> None:
    assert plan_pretraining(slices, **asked) == expected


@pytest.mark.parametrize(
    ("slices", "patch", "machine", "expected"),
    [
        (100, (128, 128), "cpu", Plan(8, 50, 1500)),
        (100, (128, 128), "gpu", Plan(32, 50, 1500)),
        (8000, (128, 128), "cpu", Plan(8, 1000, 20_000)),
        (8000, (8, 128, 128), "cpu", Plan(2, 500, 10_000)),  # 1000 blocks; never fewer than two per step
    ],
)
def test_finetuning_fills_a_step_with_pixels(slices: int, patch: tuple, machine: str, expected: Plan) -> None:
    assert plan_finetuning(slices, patch, machine) == expected


def test_what_is_asked_of_finetuning_stays() -> None:
    assert plan_finetuning(8000, (128, 128), "cpu", steps=9, batch=4) == Plan(4, 2000, 9)


def test_every_device_but_a_cpu_counts_as_a_gpu() -> None:
    assert [kind_of_machine(device) for device in ("cpu", "cuda", "mps")] == ["cpu", "gpu", "gpu"]
