"""Losses of rows of features, and their spread, equal a slow loop or what a pencil gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ContrastiveSegLib.contrast.losses import (
    distance_to,
    labeled_pairs_loss,
    queue_loss,
    spread,
    triplet_loss,
)


@pytest.mark.parametrize("temperature", [0.07, 0.2, 1.0])
def test_the_loss_of_a_queue_equals_a_slow_loop(temperature):
    random = np.random.default_rng(0)
    queries, keys, queue = (random.normal(size=(n, 6)) for n in (5, 5, 9))
    queue /= np.linalg.norm(queue, axis=1, keepdims=True)

    loss = queue_loss(*(torch.from_numpy(rows) for rows in (queries, keys, queue)), temperature=temperature)

    per_query = []
    for query, key in zip(queries, keys, strict=True):
        query, key = query / np.linalg.norm(query), key / np.linalg.norm(key)
        scores = [query @ key / temperature, *(query @ past / temperature for past in queue)]
        per_query.append(math.log(sum(map(math.exp, scores))) - scores[0])
    assert loss.item() == pytest.approx(np.mean(per_query), rel=1e-5)


def test_gradients_of_the_queue_loss_reach_the_queries_only(some_features):
    queries, keys = some_features.clone().requires_grad_(), some_features.flip(0).requires_grad_()

    queue_loss(queries, keys, torch.eye(6)).backward()

    assert queries.grad.abs().sum() > 0
    assert keys.grad is None


def test_the_distance_of_rows_is_two_minus_twice_the_cosine():
    predictions = torch.tensor([[3.0, 0.0], [0.0, 0.5], [1.0, 1.0], [2.0, 0.0]])
    targets = torch.tensor([[7.0, 0.0], [0.0, -2.0], [1.0, 0.0], [0.0, 9.0]])

    distances = [distance_to(p[None], t[None]).item() for p, t in zip(predictions, targets, strict=True)]

    assert distances == pytest.approx([0, 4, 2 - math.sqrt(2), 2], abs=1e-6)
    assert distance_to(predictions, targets).item() == pytest.approx((8 - math.sqrt(2)) / 4, abs=1e-6)


def test_no_gradient_of_the_distance_reaches_the_targets(some_features):
    predictions, targets = some_features.clone().requires_grad_(), some_features.flip(0).requires_grad_()

    distance_to(predictions, targets).backward()

    assert predictions.grad.abs().sum() > 0
    assert targets.grad is None


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_a_triplet_costs_softplus_of_the_difference_of_cosines(temperature):
    anchors = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    positives = torch.tensor([[5.0, 0.0], [3.0, 4.0]])  # cosines 1 and 0.8
    negatives = torch.tensor([[0.0, 1.0], [0.0, 8.0]])  # cosines 0 and 1

    loss = triplet_loss(anchors, positives, negatives, temperature=temperature)

    expected = [math.log(1 + math.exp(difference / temperature)) for difference in (-1.0, 0.2)]
    assert loss.item() == pytest.approx(sum(expected) / 2, rel=1e-5)


def test_a_triplet_of_equal_features_costs_the_logarithm_of_two(some_features):
    loss = triplet_loss(some_features, some_features, some_features, temperature=0.1)

    assert loss.item() == pytest.approx(math.log(2), abs=1e-6)


def test_every_member_of_a_triplet_learns(some_features):
    triplet = [some_features.roll(n, 0).requires_grad_() for n in range(3)]

    triplet_loss(*triplet, temperature=0.5).backward()

    assert all(member.grad.abs().sum() > 0 for member in triplet)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[1.0, 2.0], [2.0, 4.0]], 0.0),  # one direction, of any length
        ([[1.0, 0.0], [-3.0, 0.0]], 1.0),  # opposite directions
        ([[1.0, 0.0], [0.0, 5.0]], math.sqrt(0.5)),  # the mean is (0.5, 0.5)
    ],
)
def test_the_spread_tells_equal_from_different_directions(rows, expected):
    assert spread(torch.tensor(rows)).item() == pytest.approx(expected, abs=1e-3)


def test_the_spread_of_several_problems_is_that_of_all_their_rows(some_features):
    unit = some_features.double() / some_features.double().norm(dim=1, keepdim=True)

    together = spread(some_features.view(2, 5, 6))

    assert together.item() == pytest.approx((1 - unit.mean(0).square().sum()).sqrt().item(), rel=1e-5)


def test_labeled_pairs_equal_nt_xent_pair_by_pair(some_features):
    labels = torch.tensor([0, 0, 0, 1, 1, 1, 1, 2, 2, 3])

    loss = labeled_pairs_loss(some_features, labels, temperature=0.3)

    unit = some_features.double().numpy()
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    pairs = []
    for i in range(10):
        others = sum(np.exp(unit[i] @ unit[n] / 0.3) for n in range(10) if labels[n] != labels[i])
        own = [np.exp(unit[i] @ unit[j] / 0.3) for j in range(10) if j != i and labels[j] == labels[i]]
        pairs += [-np.log(s / (s + others)) for s in own]
    assert loss.item() == pytest.approx(np.mean(pairs), rel=1e-5)


@pytest.mark.parametrize("labels", [[], [1], [1, 1, 1], [0, 1, 2]])
def test_without_pairs_or_others_labeled_pairs_teach_nothing(labels):
    features = torch.rand(len(labels), 4, requires_grad=True)

    loss = labeled_pairs_loss(features, torch.tensor(labels, dtype=torch.long))

    loss.backward()
    assert loss.item() == 0
    assert features.grad.eq(0).all()
