"""What the tests of contrast share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Generator, Tensor

from ContrastiveSegLib.contrast import augmentation


@pytest.fixture
def some_features() -> torch.Tensor:
    return torch.randn(10, 6, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def some_positives() -> torch.Tensor:
    """Not symmetric, with anchors that have none."""
    drawn = torch.rand(10, 10, generator=torch.Generator().manual_seed(2)) < 0.25
    drawn[3] = False
    return drawn


@pytest.fixture
def a_generator() -> Generator:
    return Generator().manual_seed(0)


@pytest.fixture
def images_of() -> Callable[..., Tensor]:
    """A maker of random images, the same every time: `images_of(2, 1, 24, 40)`."""
    return lambda *shape: torch.rand(shape, generator=Generator().manual_seed(1))


@pytest.fixture
def draw_always(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let every uniform number be the same: 0.75 is half of each limit, to the positive side."""

    def always(number: float) -> None:
        monkeypatch.setattr(
            augmentation._Draw, "_uniform", lambda self, *n: torch.full((self.batch, *n), number)
        )

    return always
