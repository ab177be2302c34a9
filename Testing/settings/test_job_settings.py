"""Every job's settings can be checked, explained and written down."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.settings.field_help import field_help
from ContrastiveSegLib.settings.job_settings import JOBS, Compute, PretrainSettings
from ContrastiveSegLib.settings.rules import rules_of
from ContrastiveSegLib.settings.schema import from_dict, is_required, to_dict, validate


def smallest(cls: type) -> dict[str, Any]:
    """Only what has no default: paths, in every job."""
    return {f.name: f"/somewhere/{f.name}" for f in dataclasses.fields(cls) if is_required(f)}


@pytest.mark.parametrize("job", JOBS)
def test_the_defaults_of_every_job_are_allowed_and_survive_json(job: str) -> None:
    settings = from_dict(JOBS[job], smallest(JOBS[job]))

    assert validate(settings) == settings
    back: Any = from_dict(JOBS[job], json.loads(json.dumps(to_dict(settings))))
    assert to_dict(back) == to_dict(settings)


@pytest.mark.parametrize("job", JOBS)
def test_every_setting_of_every_job_has_its_help(job: str) -> None:
    def missing(cls: Any) -> list[str]:
        rules = rules_of(cls)
        groups = {name for name, rule in rules.items() if dataclasses.is_dataclass(rule.kind)}
        here = [name for name in rules if name not in groups and name not in field_help(cls)]
        return here + [name for group in groups for name in missing(rules[group].kind)]

    assert missing(JOBS[job]) == []


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:3", "mps"])
def test_every_device_can_be_named(device: str) -> None:
    assert from_dict(Compute, {"device": device}).device == device


def test_a_device_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(BadSetting, match="'device' is 'gpu'; allowed is 'auto', 'cpu', 'cuda', 'cuda:0'"):
        from_dict(Compute, {"device": "gpu"})


def test_settings_cannot_be_changed_afterwards() -> None:
    settings = PretrainSettings(run=Path("run"), images=Path("images"))

    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.epochs = 3  # type: ignore[misc]


def test_the_class_itself_takes_the_names_of_today() -> None:
    with pytest.raises(TypeError, match="width"):
        PretrainSettings(run=Path("run"), images=Path("images"), width=16)  # type: ignore[call-arg]
