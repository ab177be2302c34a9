"""Rates and optimizers equal hand values."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import nn

from ContrastiveSegLib.training.schedule import Schedule, cosine, one_cycle


def schedule(recipe: str, *, lr: float = 0.1) -> Schedule:
    return Schedule(steps=100, batch=4, lr=lr, recipe=recipe, epoch=10)


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 0.1), (50, 0.05), (100, 0.0), (25, 0.1 * (2 + 2**0.5) / 4)]
)
def test_the_cosine_falls_from_the_rate_to_zero(step, expected):
    assert schedule("sgd_cosine").lr_at(step) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("progress", "expected"), [(0, 0.04), (0.125, 0.52), (0.25, 1), (0.625, 0.5), (1, 1e-4)]
)
def test_one_cycle_rises_for_a_quarter_and_falls_to_nearly_nothing(progress, expected):
    assert one_cycle(progress) == pytest.approx(expected)
    assert schedule("adamw_one_cycle").lr_at(100 * progress) == pytest.approx(0.1 * expected)


def test_neither_shape_jumps():
    for shape in (cosine, one_cycle):
        values = [shape(n / 1000) for n in range(1001)]
        assert max(abs(b - a) for a, b in itertools.pairwise(values)) < 0.01


@pytest.fixture(params=[torch.contiguous_format, torch.channels_last], ids=["contiguous", "channels last"])
def a_weight(request) -> nn.Parameter:
    values = torch.randn(3, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    return nn.Parameter(values.to(memory_format=request.param))


def gradients(weight: nn.Parameter) -> list[torch.Tensor]:
    return [torch.sin(weight.detach() + n) for n in range(3)]


def test_sgd_steps_equal_the_formula(a_weight):
    optimizer, by_hand = schedule("sgd_cosine").optimizer([a_weight]), a_weight.detach().clone()

    speed = torch.zeros_like(by_hand)
    for gradient in gradients(a_weight):
        speed = 0.9 * speed + gradient + 1e-5 * by_hand
        by_hand = by_hand - 0.1 * speed
        a_weight.grad = gradient
        optimizer.step()

    torch.testing.assert_close(a_weight.detach(), by_hand)


def test_adamw_steps_equal_the_formula(a_weight):
    optimizer, by_hand = schedule("adamw_one_cycle").optimizer([a_weight]), a_weight.detach().clone()

    mean, square = torch.zeros_like(by_hand), torch.zeros_like(by_hand)
    for n, gradient in enumerate(gradients(a_weight), start=1):
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        step = mean / (1 - 0.9**n) / ((square / (1 - 0.999**n)).sqrt() + 1e-8)
        by_hand = by_hand * (1 - 0.1 * 1e-2) - 0.1 * step
        a_weight.grad = gradient
        optimizer.step()

    torch.testing.assert_close(a_weight.detach(), by_hand)


def test_a_schedule_of_no_steps_has_a_rate():
    assert math.isfinite(Schedule(0, 4, 0.1, "sgd_cosine", 1).lr_at(0))
