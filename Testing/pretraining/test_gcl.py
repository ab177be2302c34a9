"""GCL's term equals a value computed without its code."""

from __future__ import annotations

import pytest
import torch
from torch import Generator

from ContrastiveSegLib.pretraining import gcl
from ContrastiveSegLib.training.batches import Batch

HEIGHTS = [0.25, 0.20, 0.26, 1.00]  # the first quarter ends with 0.25


@pytest.mark.parametrize(("parts", "labels"), [(4, [0, 0, 1, 3]), (2, [0, 0, 0, 1]), (5, [1, 0, 1, 4])])
def test_the_term_equals_a_slow_loop(a_network, some_images, with_simple_views, slow_contrast, parts, labels):
    method = with_simple_views(gcl).Method(a_network, gcl.Settings(parts=parts, temperature=0.2)).eval()

    terms = method.loss_terms(Batch(some_images, torch.tensor(HEIGHTS), torch.arange(4)), Generator())

    views = [*some_images[:, None], *some_images.flip(-2)[:, None]]
    rows = [method.projector(a_network.encode(view)[-1])[0] for view in views]
    expected = slow_contrast(rows, lambda a, b: labels[a % 4] == labels[b % 4], temperature=0.2)
    assert list(terms) == ["part"]
    assert terms["part"].item() == pytest.approx(expected, rel=1e-4)


def test_only_the_part_of_the_body_matters(a_network, some_images):
    method = gcl.Method(a_network, gcl.Settings()).eval()

    def term(*heights: float) -> float:
        batch = Batch(some_images, torch.tensor(heights), torch.arange(4))
        return method.loss_terms(batch, Generator().manual_seed(0))["part"].item()

    assert term(0.1, 0.2, 0.6, 0.7) == term(0.25, 0.05, 0.75, 0.51)
    assert term(0.1, 0.2, 0.6, 0.7) != term(0.1, 0.6, 0.2, 0.7)
