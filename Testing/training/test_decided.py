"""What was decided by an earlier version is gone on with."""

from __future__ import annotations

import json

import pytest

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.training.decided import decide


def test_base_channels_that_were_decided_under_their_earlier_name_are_kept(a_run_folder) -> None:
    grid = {"plane": "axial", "spacing": 1.5, "slice_spacing": 0, "patch": [64, 64]}
    numbers = {"batch": 4, "epoch": 10, "steps": 20, "lr": 1e-3, "precision": "float32"}
    old = {"grid": grid, "width": 12, **numbers}
    a_run_folder.settings.write_text(json.dumps({"decided": {"pretrain": old}}), encoding="utf-8")

    decided = decide(a_run_folder, "pretrain", lambda: {})

    assert decided["base_channels"] == 12
    assert "width" not in decided


def test_what_does_not_fit_the_data_at_the_first_start_is_no_damage(a_run_folder) -> None:
    a_run_folder.settings.write_text("{}", encoding="utf-8")

    def make() -> dict:
        raise BadSetting("The patches have fewer than 32 slices.", "Choose the network unet.")

    with pytest.raises(
        BadSetting, match=r"^The patches have fewer than 32 slices\. Choose the network unet\."
    ):
        decide(a_run_folder, "pretrain", make)
