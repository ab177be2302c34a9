"""What the tests of fine-tuning share."""

from __future__ import annotations

import pytest
import torch

from ContrastiveSegLib.training.batches import Batch


@pytest.fixture
def a_batch() -> Batch:
    """Two structures, which are the two brightest gray values, with a margin around the patch."""
    labels = torch.zeros(4, 42, 42, dtype=torch.int64)
    labels[:, 8:24, 8:26] = 1
    labels[:2, 28:38, 20:36] = 2
    images = labels[:, None] * 0.4 + 0.1
    return Batch(images, slice_positions=torch.ones(4), cases=torch.arange(4), labels=labels)
