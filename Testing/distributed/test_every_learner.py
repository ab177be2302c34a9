"""Two processes compute what one computes: every term, every gradient, and the weights after a training.

They are compared in float64, where they are equal to ten digits. In float32 some methods differ more, and
one process alone does so too when its weights are changed in their last digit.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from Testing.distributed.learning import Seen, everything, in_float64

SCRIPT = "Testing.distributed.learning"


@pytest.mark.skipif(sys.platform == "win32", reason="several processes are refused on Windows")
@pytest.mark.parametrize("steps", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_two_processes_learn_the_same_as_one(steps: int, tmp_path: Path, start_together) -> None:
    ended = start_together(["-m", SCRIPT, str(tmp_path / "seen"), str(steps)], 2)

    assert [process.returncode for process in ended] == [0, 0], ended[0].stderr + ended[1].stderr
    together = torch.load(tmp_path / "seen")
    with in_float64():
        alone = everything(steps)
    assert together.keys() == alone.keys()
    assert {name: far for name in alone if (far := _far(alone[name], together[name]))} == {}


def _far(alone: Seen, together: Seen) -> dict[str, float]:
    """What differs by more than rounding in float64, by how much."""
    assert alone.keys() == together.keys()
    largest = max(float(value.abs().max()) for name, value in alone.items() if name.startswith("gradient"))
    apart = {}
    for name, value in alone.items():
        one, other = value.double(), together[name].double()
        # The gradient of a bias before a batch norm is nothing but rounding.
        size = max(float(one.abs().max()), 1e-3 * largest if name.startswith("gradient") else 1.0)
        apart[name] = float((one - other).abs().max()) / size
    return {name: far for name, far in apart.items() if far > (1e-5 if "state" in name else 1e-10)}
