"""A run folder that says its settings under their earlier names is gone on with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.networks.weights import seal_of
from Testing.jobs.conftest import GRID, SMALL


def renamed(value: Any) -> Any:
    """The same plain values, base channels called as in version 0.1."""
    if isinstance(value, dict):
        return {"width" if k == "base_channels" else k: renamed(v) for k, v in value.items()}
    return value


@pytest.fixture
def a_run_of_then(a_run: Path) -> Path:
    for name in (
        "settings.json",
        "finetune/01/settings.json",
        "pretrain/model.json",
        "finetune/01/model.json",
    ):
        path = a_run / name
        content = renamed(json.loads(path.read_text(encoding="utf-8")))
        if "seal" in content:
            content["seal"] = seal_of(content)
        path.write_text(json.dumps(content), encoding="utf-8")
        assert '"width": 4' in path.read_text(encoding="utf-8")
    return a_run


def test_a_run_with_the_earlier_name_of_base_channels_predicts_and_knows_that_it_is_finished(
    a_run_of_then: Path, phantoms: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(a_run_of_then)

    predicted = main(["predict", run, "--images", str(phantoms / "test"), "--device", "cpu"])
    again = main(["pretrain", run, "--images", str(phantoms), "--steps", "4", *SMALL, *GRID])

    assert (predicted, again) == (0, 0)
    assert "is finished; there is nothing to do" in capsys.readouterr().err
