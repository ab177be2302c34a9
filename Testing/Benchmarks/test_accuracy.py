"""The profile of a benchmark: what its command changes, also under the names of earlier commands."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from ContrastiveSegLib.errors import BadSetting


@pytest.fixture
def accuracy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))  # as it is when a benchmark is run
    return importlib.import_module("accuracy")


def test_a_profile_takes_changes_under_names_of_then_and_now(accuracy: ModuleType) -> None:
    changes = [{name: 24, "patch": [64, 64]} for name in ("width", "base_channels")]

    then, now = (accuracy.profile_for("cpu", change) for change in changes)

    assert then == now
    assert (now.base_channels, now.patch) == (24, (64, 64))
    assert now.finetune_steps == accuracy.PROFILES["cpu"].finetune_steps


def test_a_field_that_no_profile_has_is_refused(accuracy: ModuleType) -> None:
    with pytest.raises(BadSetting, match="base_chanels"):
        accuracy.profile_for("cpu", {"base_chanels": 24})


def test_patients_nothing_is_learned_from_come_in_the_same_order_in_every_process(
    accuracy: ModuleType,
) -> None:
    """The order of a set differs between processes, and another order would begin another fine-tuning."""
    names = [f"patient{n:03d}" for n in range(40)]
    assert accuracy.together(names[20:], names[:30][::-1]) == tuple(names)
