"""What was decided by an earlier version is gone on with."""

from __future__ import annotations

import json

from ContrastiveSegLib.training.decided import decide


def test_base_channels_that_were_decided_under_their_earlier_name_are_kept(a_run_folder) -> None:
    grid = {"plane": "axial", "spacing": 1.5, "slice_spacing": 0, "patch": [64, 64]}
    numbers = {"batch": 4, "epoch": 10, "steps": 20, "lr": 1e-3, "precision": "float32"}
    old = {"grid": grid, "width": 12, **numbers}
    a_run_folder.settings.write_text(json.dumps({"decided": {"pretrain": old}}), encoding="utf-8")

    decided = decide(a_run_folder, "pretrain", lambda: {})

    assert decided["base_channels"] == 12
    assert "width" not in decided
