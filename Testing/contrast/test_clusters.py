"""Soft clusters are used alike, and teachers are not sure too early."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ContrastiveSegLib.contrast.clusters import (
    Teacher,
    balanced_assignments,
    distillation_loss,
    swapped_loss,
)


@pytest.fixture
def some_scores() -> torch.Tensor:
    """Cosines of 7 images with 5 prototypes, most of which like the first one best."""
    scores = torch.rand(7, 5, generator=torch.Generator().manual_seed(0)) * 1.2 - 0.6
    scores[:6, 0] += 0.4
    return scores


def slow_assignments(scores: np.ndarray, epsilon: float, rounds: int) -> np.ndarray:
    """Sinkhorn and Knopp's alternation with loops, in float64."""
    images, prototypes = scores.shape
    shares = np.exp(scores.astype(float) / epsilon)
    shares /= shares.sum()
    for _ in range(rounds):
        for k in range(prototypes):
            shares[:, k] /= shares[:, k].sum() * prototypes
        for n in range(images):
            shares[n] /= shares[n].sum() * images
    return shares * images


@pytest.mark.parametrize("epsilon", [0.05, 0.5])
@pytest.mark.parametrize("rounds", [1, 3, 10])
def test_assignments_equal_a_slow_loop(some_scores, epsilon, rounds):
    shares = balanced_assignments(some_scores, epsilon=epsilon, rounds=rounds)

    expected = slow_assignments(some_scores.numpy(), epsilon, rounds)
    np.testing.assert_allclose(shares, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("rounds", [1, 3, 100])
def test_the_shares_of_an_image_add_up_to_one(some_scores, rounds):
    shares = balanced_assignments(some_scores, rounds=rounds)

    torch.testing.assert_close(shares.sum(1), torch.ones(7))
    assert (shares >= 0).all()


def test_after_many_rounds_every_prototype_has_the_same_share(some_scores):
    favored = (some_scores / 0.05).softmax(1).sum(0)

    shares = balanced_assignments(some_scores, epsilon=0.05, rounds=300)

    assert favored.max() > 2 * 7 / 5
    torch.testing.assert_close(shares.sum(0), torch.full((5,), 7 / 5), atol=1e-3, rtol=0)


@pytest.mark.parametrize("epsilon", [0.001, 0.01, 0.05])
def test_the_sharpest_assignments_stay_numbers_also_of_images_far_from_all_prototypes(epsilon):
    scores = torch.tensor([[0.99, 0.2], [-0.99, -0.95], [0.1, 0.9]])

    shares = balanced_assignments(scores, epsilon=epsilon)

    assert shares.isfinite().all()
    torch.testing.assert_close(shares.sum(1), torch.ones(3))


def test_assignments_are_targets_and_take_no_gradient(some_scores):
    assert not balanced_assignments(some_scores.requires_grad_()).requires_grad


def test_the_swapped_loss_is_a_cross_entropy_that_a_pencil_gives():
    scores = torch.tensor([[0.2, 0.0], [0.1, 0.4]])
    targets = torch.tensor([[1.0, 0.0], [0.25, 0.75]])

    loss = swapped_loss(scores, targets, temperature=0.1)

    first = math.log(1 + math.exp(-2))
    second = 0.25 * math.log(1 + math.exp(3)) + 0.75 * math.log(1 + math.exp(-3))
    assert loss.item() == pytest.approx((first + second) / 2, rel=1e-5)


def test_distillation_is_the_same_cross_entropy_at_the_temperature_of_the_student(some_scores):
    targets = some_scores.flip(0).softmax(1)

    loss = distillation_loss(some_scores, targets, temperature=0.3)

    rows = zip(some_scores.double().numpy() / 0.3, targets.double().numpy(), strict=True)
    expected = [
        -sum(t * (s - math.log(np.exp(row).sum())) for s, t in zip(row, target, strict=True))
        for row, target in rows
    ]
    assert loss.item() == pytest.approx(np.mean(expected), rel=1e-5)


def test_a_teacher_centers_and_sharpens(some_scores):
    teacher = Teacher(5, temperature=0.2)
    teacher.center.copy_(torch.tensor([0.4, 0.0, 0.0, -0.1, 0.0]))
    center = teacher.center.clone().double().numpy()

    targets = teacher(some_scores)

    raised = np.exp((some_scores.double().numpy() - center) / 0.2)
    np.testing.assert_allclose(targets, raised / raised.sum(1, keepdims=True), rtol=1e-4)
    torch.testing.assert_close(targets.sum(1), torch.ones(7))


def test_the_center_moves_towards_the_mean_of_the_scores(some_scores):
    teacher = Teacher(5, momentum=0.75)

    teacher(some_scores)
    teacher(some_scores + 1)

    mean = some_scores.double().mean(0)
    expected = 0.75 * (0.25 * mean) + 0.25 * (mean + 1)
    torch.testing.assert_close(teacher.center.double(), expected, rtol=1e-5, atol=1e-6)
    assert "center" in teacher.state_dict()


def test_centering_keeps_one_output_from_always_winning():
    random = torch.Generator().manual_seed(0)
    teacher = Teacher(5, temperature=0.1)
    favorite = torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0])

    batches = [torch.randn(32, 5, generator=random) * 0.3 + favorite for _ in range(60)]
    targets = [teacher(scores) for scores in batches]

    assert targets[0].mean(0)[0] > 0.9
    assert targets[-1].mean(0).max() < 0.4


def test_targets_take_no_gradient(some_scores):
    assert not Teacher(5)(some_scores.requires_grad_()).requires_grad
