"""The time that a plan names is the time that the run takes, within a factor of two."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("method", ["pcl", "supercl"])
def test_the_time_of_a_plan_is_that_of_the_run_within_a_factor_of_two(
    phantoms: Path, tmp_path: Path, method: str
) -> None:
    words = [
        sys.executable,
        "-m",
        "ContrastiveSegLib",
        "pretrain",
        str(tmp_path / "run"),
        "--images",
        str(phantoms),
    ]
    words += ["--steps", "60", "--method", method, "--device", "cpu", "--patch", "64", "64", "--batch", "16"]

    planned = subprocess.run([*words, "--plan"], check=True, capture_output=True, text=True).stdout
    plan = json.loads(planned.splitlines()[-1])
    begin = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    took = time.perf_counter() - begin

    told = (
        plan["startup_s"]
        + plan["cases"] * plan["seconds_per_case"]
        + plan["steps"] * plan["seconds_per_step"]
    )
    assert 0.5 < told / took < 2, (told, took, plan)
