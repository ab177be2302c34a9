"""The contrastive loss equals golden values of the formula, a slow loop, and values computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ContrastiveSegLib.contrast.losses import (
    collapse_value,
    contrastive_loss,
    positives_per_anchor,
)
from ContrastiveSegLib.contrast.positives import near_slice_position, same_image, two_views

EXACT = 1e-5
SLICE_POSITIONS = torch.tensor([0.10, 0.15, 0.50, 0.90])
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


@pytest.mark.parametrize(
    ("positives", "expected"),
    [
        (same_image(SLICE_POSITIONS), 0.617173),
        (near_slice_position(SLICE_POSITIONS, threshold=0.1), 2.164028),
        (near_slice_position(SLICE_POSITIONS, threshold=0.45), 7.034706),
        (PARTITIONS[:, None] == PARTITIONS[None], 2.164028),
    ],
    ids=["SimCLR", "PCL 0.1", "PCL 0.45", "GCL"],
)
def test_the_values_of_the_formula_come_out(positives, expected):
    loss = contrastive_loss(two_views_of_four(), two_views(positives))

    assert loss.item() == pytest.approx(expected, abs=EXACT)


@pytest.mark.parametrize(
    ("positives", "expected"),
    [
        (same_image(SLICE_POSITIONS), 0.432021),
        (near_slice_position(SLICE_POSITIONS, threshold=0.1), 1.514819),
    ],
    ids=["SimCLR", "PCL"],
)
def test_the_printed_form_leaves_the_base_temperature_out(positives, expected):
    loss = contrastive_loss(two_views_of_four(), two_views(positives), base_temperature=0.1)

    assert loss.item() == pytest.approx(expected, abs=EXACT)


def test_many_problems_at_once_give_the_value_of_the_formula():
    positives = two_views(near_slice_position(SLICE_POSITIONS, threshold=0.1))

    loss = contrastive_loss(six_problems(), positives)

    assert loss.item() == pytest.approx(2.836236, abs=EXACT)


def test_pixels_with_the_labels_of_regions_give_the_value_of_the_formula():
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


def test_positives_are_counted_without_the_anchor_itself(some_positives):
    counts = [sum(bool(some_positives[a, b]) for b in range(10) if b != a) for a in range(10)]

    assert positives_per_anchor(some_positives).item() == pytest.approx(np.mean(counts))
    assert positives_per_anchor(some_positives | torch.eye(10, dtype=torch.bool)) == np.float32(
        np.mean(counts)
    )
    assert positives_per_anchor(some_positives.expand(3, -1, -1)).item() == pytest.approx(np.mean(counts))
