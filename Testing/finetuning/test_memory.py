"""The memory of classes, and the contrast against it, compared with loops."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Generator
from torch.nn import functional as F

from ContrastiveSegLib.finetuning._memory import ClassMemory, memory_contrast
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL


@pytest.fixture
def a_memory() -> ClassMemory:
    """Four classes of five rows: two of class 0, none of class 1, all of class 2, one of class 3."""
    memory = ClassMemory(4, 5, 6)
    memory.rows.copy_(F.normalize(torch.randn(4, 5, 6, generator=Generator().manual_seed(0)), dim=-1))
    memory.filled.copy_(torch.tensor([2, 0, 5, 1]))
    return memory


def slow_contrast(anchors, labels, memory, temperature):
    """The loss of docs/strategies/pclmix.md, anchor by anchor, over the valid rows alone."""
    losses = []
    for anchor, label in zip(anchors.double(), labels.tolist(), strict=True):
        anchor = anchor / anchor.norm()
        rows = [memory.rows[c, : memory.filled[c]].double() for c in range(4)]
        if not len(rows[label]):
            continue
        negatives = sum(
            math.exp(anchor @ row / temperature) for c in range(4) if c != label for row in rows[c]
        )
        each = []
        for row in rows[label]:
            own = math.exp(anchor @ row / temperature)
            each.append(-math.log(own / (own + negatives)))
        losses.append(sum(each) / len(each))
    return sum(losses) / len(losses)


def test_the_contrast_is_a_double_loop_over_valid_rows(a_memory):
    anchors = 3 * torch.randn(7, 6, generator=Generator().manual_seed(1))
    labels = torch.tensor([0, 1, 2, 2, 3, 1, 0])

    loss = memory_contrast(anchors, labels, a_memory, temperature=0.3)

    assert loss.item() == pytest.approx(slow_contrast(anchors, labels, a_memory, 0.3), rel=1e-5)


def test_rows_beyond_the_valid_ones_do_not_matter(a_memory):
    anchors, labels = torch.randn(4, 6, generator=Generator().manual_seed(1)), torch.tensor([0, 2, 3, 0])
    before = memory_contrast(anchors, labels, a_memory, temperature=0.07)

    a_memory.rows[0, 2:], a_memory.rows[1], a_memory.rows[3, 1:] = 0.5, 0.5, 0.5

    assert torch.equal(memory_contrast(anchors, labels, a_memory, temperature=0.07), before)


@pytest.mark.parametrize("labels", [[], [1, 1]])
def test_without_anchors_or_rows_the_loss_is_zero_and_still_has_a_gradient(a_memory, labels):
    anchors = torch.randn(len(labels), 6, requires_grad=True)

    loss = memory_contrast(anchors, torch.tensor(labels, dtype=torch.long), a_memory, temperature=0.07)

    loss.backward()
    assert loss.item() == 0
    assert (anchors.grad == 0).all()


def test_a_single_class_has_nothing_to_be_told_apart_from(a_memory):
    a_memory.filled.copy_(torch.tensor([0, 0, 5, 0]))
    anchors = torch.randn(3, 6, requires_grad=True)

    loss = memory_contrast(anchors, torch.full((3,), 2), a_memory, temperature=0.07)

    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert anchors.grad.isfinite().all()


def test_mixed_precision_does_not_reach_the_contrast(a_memory):
    anchors, labels = torch.randn(4, 6, generator=Generator().manual_seed(1)), torch.tensor([0, 2, 3, 0])
    exact = memory_contrast(anchors, labels, a_memory, temperature=0.07)

    with torch.autocast("cpu", torch.bfloat16):
        mixed = memory_contrast(anchors, labels, a_memory, temperature=0.07)

    assert torch.equal(exact, mixed)


def test_what_is_pushed_before_the_backward_pass_does_not_change_the_gradient(a_memory):
    def gradient(*, push: bool) -> torch.Tensor:
        anchors = torch.randn(4, 6, generator=Generator().manual_seed(1)).requires_grad_()
        loss = memory_contrast(anchors, torch.tensor([0, 2, 3, 0]), a_memory, temperature=0.07)
        if push:
            a_memory.push(torch.randn(3, 4, 6), torch.tensor([[0, 0, 2, 3]] * 3))
        loss.backward()
        return anchors.grad

    assert torch.equal(gradient(push=False), gradient(push=True))


def test_the_mean_of_every_class_of_every_image_is_remembered():
    memory = ClassMemory(3, 4, 2)
    features = torch.tensor([[[1.0, 0.0], [3.0, 4.0], [5.0, 4.0]], [[0.0, 2.0], [7.0, 7.0], [0.0, 4.0]]])
    labels = torch.tensor([[0, 2, 2], [2, IGNORE_LABEL, 2]])

    memory.push(features, labels)

    assert memory.filled.tolist() == [1, 0, 2]
    assert memory.rows[0, 0].tolist() == [1.0, 0.0]
    assert torch.allclose(memory.rows[2, :2], torch.tensor([[0.5, 0.5], [0.0, 1.0]]).sqrt())
    assert (memory.rows[1] == 0).all()


def test_the_oldest_rows_are_replaced_and_never_counted_twice():
    memory, slow = ClassMemory(3, 4, 2), [[], [], []]
    random = Generator().manual_seed(0)
    for _ in range(9):
        features = torch.randn(3, 5, 2, generator=random)
        labels = torch.randint(-1, 3, (3, 5), generator=random)
        memory.push(features, labels)
        for rows, found in zip(features, labels, strict=True):
            for c in range(3):
                if (found == c).any():
                    slow[c] = [*slow[c], F.normalize(rows[found == c].mean(0), dim=0)][-4:]

    for c in range(3):
        assert memory.filled[c] == len(slow[c])
        kept = sorted(memory.rows[c, : memory.filled[c]].tolist())
        assert torch.allclose(torch.tensor(kept), torch.tensor(sorted(row.tolist() for row in slow[c])))


def test_more_images_than_places_leave_whole_rows():
    memory = ClassMemory(1, 2, 3)

    memory.push(torch.rand(5, 4, 3), torch.zeros(5, 4, dtype=torch.long))

    assert memory.filled.item() == 2
    assert torch.allclose(memory.rows.norm(dim=-1), torch.ones(1, 2))
