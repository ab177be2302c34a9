"""Whatever is damaged in a file, the user reads words, and the neighbor of the damaged case is not lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SEED = 1


def failures(seed: int, count: int) -> list[str]:
    """What went wrong, with the command that shows it again."""
    words = [sys.executable, "-m", "Testing.fuzz.run", str(seed), "0", str(count)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    begun = [line["begins"] for line in lines if "begins" in line]
    ended = {line["number"]: line for line in lines if "number" in line}
    again = f"python -m Testing.fuzz.run {seed}"
    found = [f"{again} {n} 1: {ended[n]}" for n in ended if ended[n]["problems"]]
    crashed = [f"{again} {n} 1: ended the process with {done.returncode}" for n in begun if n not in ended]
    if len(begun) != count and not crashed:
        crashed = [f"{again} 0 {count}: {done.stderr[-2000:]}"]
    return found + crashed


def test_two_hundred_damaged_inputs_end_in_words() -> None:
    assert failures(SEED, 200) == []


@pytest.mark.slow
def test_two_thousand_damaged_inputs_end_in_words() -> None:
    assert failures(SEED + 1, 2000) == []
