"""Whenever a job is killed, started again it ends as if nobody had killed it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="a fork saves loading torch for each of the kills")
def test_three_hundred_kills_lose_nothing() -> None:
    words = [sys.executable, "-m", "Testing.kills.run", "1", "0", "300"]

    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 300, done.stderr[-2000:]
    assert [line for line in lines if line["problems"]] == []
    assert len([line for line in lines if line["ended"] < 0]) > 200
