"""Every loss equals the values of the specification, a slow loop, or what a pencil gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ContrastiveSegLib.contrast.losses import (
    collapse_value,
    contrastive_loss,
    distance_to,
    labeled_pairs_loss,
    positives_per_anchor,
    queue_loss,
    spread,
    triplet_loss,
)
from ContrastiveSegLib.contrast.positives import near_height, same_image, two_views

EXACT = 1e-5
HEIGHTS = torch.tensor([0.10, 0.15, 0.50, 0.90])
PARTITIONS = torch.tensor([1, 1, 2, 4])


def slow_loss(features, positives, *, temperature: float = 0.1, base_temperature: float = 0.07) -> float:
    """Equation of section 1.6 as loops over anchors, for features (N, D) and positives (N, N)."""
    unit = [np.asarray(row, float) / np.linalg.norm(row) for row in features]
    per_anchor = []
    for a, anchor in enumerate(unit):
        others = [b for b in range(len(unit)) if b != a]
        denominator = sum(math.exp(anchor @ unit[b] / temperature) for b in others)
        attracted = [b for b in others if positives[a][b]]
        terms = [anchor @ unit[b] / temperature - math.log(denominator) for b in attracted]
        if terms:
            per_anchor.append(-sum(terms) / len(terms))
    return temperature / base_temperature * sum(per_anchor) / len(per_anchor)


def two_views_of_four() -> torch.Tensor:
    """F of section 9: rows are the first views of images 0...3, then the second views: (8, 8)."""
    i, v, c = np.ogrid[:4, :2, :8]
    values = np.sin(i + 0.5 * v + 0.3 * c) + 0.2 * np.cos(0.7 * i * c)
    return torch.from_numpy(values.transpose(1, 0, 2).reshape(8, 8))


def six_problems() -> torch.Tensor:
    """D of section 9: (6, 8, 8)."""
    s, i, v, c = np.ogrid[:6, :4, :2, :8]
    values = np.sin(i + 0.5 * v + 0.3 * c + 0.2 * s) + 0.2 * np.cos(0.7 * i * c)
    return torch.from_numpy(values.transpose(0, 2, 1, 3).reshape(6, 8, 8))


@pytest.fixture
def some_features() -> torch.Tensor:
    return torch.randn(10, 6, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def some_positives() -> torch.Tensor:
    """Not symmetric, with anchors that have none."""
    drawn = torch.rand(10, 10, generator=torch.Generator().manual_seed(2)) < 0.25
    drawn[3] = False
    return drawn


@pytest.mark.parametrize(
    ("positives", "expected"),
    [
        (same_image(HEIGHTS), 0.617173),
        (near_height(HEIGHTS, threshold=0.1), 2.164028),
        (near_height(HEIGHTS, threshold=0.45), 7.034706),
        (PARTITIONS[:, None] == PARTITIONS[None], 2.164028),
    ],
    ids=["SimCLR", "PCL 0.1", "PCL 0.45", "GCL"],
)
def test_the_values_of_the_specification_come_out(positives, expected):
    loss = contrastive_loss(two_views_of_four(), two_views(positives))

    assert loss.item() == pytest.approx(expected, abs=EXACT)


@pytest.mark.parametrize(
    ("positives", "expected"),
    [(same_image(HEIGHTS), 0.432021), (near_height(HEIGHTS, threshold=0.1), 1.514819)],
    ids=["SimCLR", "PCL"],
)
def test_the_printed_form_leaves_the_base_temperature_out(positives, expected):
    loss = contrastive_loss(two_views_of_four(), two_views(positives), base_temperature=0.1)

    assert loss.item() == pytest.approx(expected, abs=EXACT)


def test_many_problems_at_once_give_the_value_of_the_specification():
    positives = two_views(near_height(HEIGHTS, threshold=0.1))

    loss = contrastive_loss(six_problems(), positives)

    assert loss.item() == pytest.approx(2.836236, abs=EXACT)


def test_pixels_with_the_labels_of_regions_give_the_value_of_the_specification():
    p, v, c = np.ogrid[:16, :2, :8]
    values = np.sin(0.9 * p + 0.5 * v + 0.3 * c).transpose(1, 0, 2).reshape(32, 8)
    regions = torch.tensor([0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3]).repeat(2)

    loss = contrastive_loss(torch.from_numpy(values), regions[:, None] == regions[None])

    assert loss.item() == pytest.approx(17.414475, abs=EXACT)


@pytest.mark.parametrize("temperature", [0.05, 0.1, 0.7])
def test_the_loss_equals_a_slow_loop(some_features, some_positives, temperature):
    expected = slow_loss(some_features.numpy(), some_positives, temperature=temperature)

    loss = contrastive_loss(some_features, some_positives, temperature=temperature)

    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_leading_axes_are_independent_problems(some_positives):
    features = torch.randn(2, 3, 10, 6, generator=torch.Generator().manual_seed(3))

    together = contrastive_loss(features, some_positives)

    one_by_one = [slow_loss(f.numpy(), some_positives) for f in features.flatten(0, 1)]
    assert together.item() == pytest.approx(np.mean(one_by_one), rel=1e-5)


def test_each_problem_may_have_its_own_positives(some_features, some_positives):
    positives = torch.stack([some_positives, some_positives.T])

    together = contrastive_loss(some_features.expand(2, -1, -1), positives)

    # The mean is over anchors, and the two problems have different numbers of anchors with a positive.
    anchors = [int((p & ~torch.eye(10, dtype=torch.bool)).any(1).sum()) for p in positives]
    separate = [slow_loss(some_features.numpy(), p) for p in positives]
    assert anchors[0] != anchors[1]
    assert together.item() == pytest.approx(np.average(separate, weights=anchors), rel=1e-5)


def test_the_length_of_features_and_the_diagonal_do_not_matter(some_features, some_positives):
    lengths = torch.linspace(0.1, 30, 10)[:, None]
    with_diagonal = some_positives | torch.eye(10, dtype=torch.bool)

    loss = contrastive_loss(some_features * lengths, with_diagonal)

    assert loss.item() == pytest.approx(contrastive_loss(some_features, some_positives).item(), rel=1e-5)


def test_without_any_positive_the_loss_is_zero(some_features):
    features = some_features.requires_grad_()

    loss = contrastive_loss(features, torch.zeros(10, 10, dtype=torch.bool))

    loss.backward()
    assert loss.item() == 0
    assert not features.grad.any()


def test_gradients_stay_finite_for_equal_and_for_empty_features(some_positives):
    for features in (torch.ones(10, 6), torch.zeros(10, 6)):
        features.requires_grad_()
        contrastive_loss(features, some_positives, temperature=0.01).backward()
        assert features.grad.isfinite().all()


def test_mixed_precision_does_not_reach_the_loss(some_features, some_positives):
    expected = contrastive_loss(some_features, some_positives)

    with torch.autocast("cpu", torch.bfloat16):
        loss = contrastive_loss(some_features, some_positives)
        of_bfloat16 = contrastive_loss(some_features.bfloat16(), some_positives)

    assert loss.dtype == of_bfloat16.dtype == torch.float32
    assert loss.item() == expected.item()


@pytest.mark.parametrize(("images", "expected"), [(16, 4.9057), (25, 5.5597), (32, 5.9188)])
def test_equal_features_give_the_collapse_value(images, expected):
    positives = two_views(torch.eye(images, dtype=torch.bool))

    loss = contrastive_loss(torch.ones(2 * images, 8), positives)

    assert collapse_value(2 * images) == pytest.approx(expected, abs=5e-5)
    assert loss.item() == pytest.approx(collapse_value(2 * images), rel=1e-6)


def test_the_collapse_value_follows_the_temperatures():
    positives = two_views(torch.eye(4, dtype=torch.bool))

    loss = contrastive_loss(torch.ones(8, 3), positives, temperature=0.5, base_temperature=0.2)

    assert loss.item() == pytest.approx(collapse_value(8, temperature=0.5, base_temperature=0.2), rel=1e-6)


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


def test_positives_are_counted_without_the_anchor_itself(some_positives):
    counts = [sum(bool(some_positives[a, b]) for b in range(10) if b != a) for a in range(10)]

    assert positives_per_anchor(some_positives).item() == pytest.approx(np.mean(counts))
    assert positives_per_anchor(some_positives | torch.eye(10, dtype=torch.bool)) == np.float32(
        np.mean(counts)
    )
    assert positives_per_anchor(some_positives.expand(3, -1, -1)).item() == pytest.approx(np.mean(counts))


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
    assert loss.item() == pytest.approx(np.mean(pairs), rel=EXACT)


@pytest.mark.parametrize("labels", [[], [1], [1, 1, 1], [0, 1, 2]])
def test_without_pairs_or_others_labeled_pairs_teach_nothing(labels):
    features = torch.rand(len(labels), 4, requires_grad=True)

    loss = labeled_pairs_loss(features, torch.tensor(labels, dtype=torch.long))

    loss.backward()
    assert loss.item() == 0
    assert features.grad.eq(0).all()
