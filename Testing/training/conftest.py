"""What the tests of training share."""

from __future__ import annotations

import pytest

from ContrastiveSegLib.training import progress


@pytest.fixture(params=["sgd_cosine", "adamw_one_cycle"])
def a_recipe(request) -> str:
    return request.param


@pytest.fixture
def speak_always(monkeypatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_REPORTS", 0)
