"""Which pixels are certain, and which of them become anchors."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Generator

from ContrastiveSegLib.finetuning._certainty import (
    AnchorLimits,
    certain_labels,
    choose_anchors,
    entropy_limit,
    on_cells,
)
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def test_the_limit_rises_to_the_entropy_of_two_equal_classes():
    limits = [entropy_limit(n / 10) for n in range(11)]

    assert limits[0] == pytest.approx(0.521, abs=5e-4)
    assert limits[-1] == pytest.approx(math.log(2))
    assert limits == sorted(limits)


def test_uncertain_pixels_are_unknown_unless_they_are_painted():
    sure, doubtful = [0.02, 0.9, 0.08], [0.4, 0.3, 0.3]
    probabilities = torch.tensor([[sure, doubtful, sure, doubtful]]).mT[..., None]  # (1, 3, 4, 1)
    painted = torch.tensor([[[IGNORE_LABEL], [IGNORE_LABEL], [2], [0]]])

    certain = certain_labels(probabilities, painted, limit=0.6)

    assert certain.flatten().tolist() == [1, IGNORE_LABEL, 2, 0]


def test_the_limit_is_an_entropy_in_nats():
    probabilities = torch.tensor([0.8, 0.2]).view(1, 2, 1, 1)
    entropy = -(0.8 * math.log(0.8) + 0.2 * math.log(0.2))
    nothing = torch.full((1, 1, 1), IGNORE_LABEL)

    assert certain_labels(probabilities, nothing, limit=entropy + 1e-3).item() == 0
    assert certain_labels(probabilities, nothing, limit=entropy - 1e-3).item() == IGNORE_LABEL


def test_a_cell_has_the_label_at_its_center():
    labels = torch.arange(64).view(1, 8, 8)

    assert torch.equal(on_cells(labels, (4, 4)), labels[:, 1::2, 1::2])


def a_scene() -> tuple[torch.Tensor, torch.Tensor]:
    """Labels and predictions (2, 40): of class 1 many are right and few wrong, of 2 the other way round."""
    labels, predicted = torch.full((2, 40), IGNORE_LABEL), torch.zeros(2, 40, dtype=torch.long)
    labels[0, :20], predicted[0, :18] = 1, 1
    labels[0, 20:36], predicted[0, 20:22] = 2, 2
    labels[1, :3] = 1
    return labels, predicted


def test_half_of_the_anchors_are_where_the_prediction_errs_and_the_other_kind_fills_up():
    labels, predicted = a_scene()

    chosen = choose_anchors(labels, predicted, 3, generator(), limits=AnchorLimits(fewest=5, each=12))

    hard = chosen & (predicted != labels)
    assert (hard & (labels == 1)).sum() == 2
    assert (chosen & (labels == 1)).sum() == 12
    assert (hard & (labels == 2)).sum() == 10
    assert (chosen & (labels == 2)).sum() == 12
    assert not (chosen & (labels == IGNORE_LABEL)).any()
    assert not chosen[1].any()  # three cells are fewer than five


def test_the_total_is_shared_among_classes_and_images():
    labels, predicted = a_scene()

    chosen = choose_anchors(labels, predicted, 3, generator(), limits=AnchorLimits(fewest=2, total=24))

    assert [int((chosen[0] & (labels[0] == c)).sum()) for c in (1, 2)] == [8, 8]
    assert chosen[1].sum() == 3


def test_without_any_certain_cell_nothing_is_chosen():
    nothing = torch.full((2, 9), IGNORE_LABEL)

    assert not choose_anchors(nothing, torch.zeros(2, 9), 3, generator(), limits=AnchorLimits(fewest=1)).any()


def test_anchors_are_drawn_from_everywhere_and_repeat_with_the_seed():
    labels = torch.zeros(1, 100, dtype=torch.long)
    draw = [
        choose_anchors(labels, labels, 1, generator(s), limits=AnchorLimits(fewest=1, each=20))
        for s in (0, 0, *range(1, 40))
    ]

    assert torch.equal(draw[0], draw[1])
    assert not torch.equal(draw[0], draw[2])
    assert torch.stack(draw).any(0).all()
