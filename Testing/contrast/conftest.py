"""What the tests of contrast share."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture
def some_features() -> torch.Tensor:
    return torch.randn(10, 6, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def some_positives() -> torch.Tensor:
    """Not symmetric, with anchors that have none."""
    drawn = torch.rand(10, 10, generator=torch.Generator().manual_seed(2)) < 0.25
    drawn[3] = False
    return drawn
