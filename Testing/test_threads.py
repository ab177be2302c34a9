"""Threads wait asleep, whichever way PyTorch comes to be loaded, unless the user has decided."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ContrastiveSegLib import threads

ROOT = Path(__file__).resolve().parent.parent
# What `import torch` would see, instead of torch itself, which takes seconds.
SPY = """
import importlib, importlib.abc, json, os, pkgutil, sys
import ContrastiveSegLib

seen = {}

class Spy(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "monai", "safetensors", "transformers"):
            seen[asked] = {k: v for k, v in os.environ.items() if k in PASSIVE_WAITING}
            raise ImportError(name)

from ContrastiveSegLib.threads import PASSIVE_WAITING
sys.meta_path.insert(0, Spy())
for module in list(pkgutil.walk_packages(ContrastiveSegLib.__path__, "ContrastiveSegLib.")):
    asked = module.name
    for name in [name for name in sys.modules if name.startswith("ContrastiveSegLib")]:
        del sys.modules[name]
    for name in PASSIVE_WAITING:
        os.environ.pop(name, None)
    try:
        importlib.import_module(asked)
    except ImportError:
        pass
print(json.dumps(seen))
"""


def _without_decision(**further: str) -> dict[str, str]:
    names = (*threads.DECIDED_BY, threads.FREE_CORE, "OMP_NUM_THREADS", "PYTEST_CURRENT_TEST")
    return {**{k: v for k, v in os.environ.items() if k not in names}, "PYTHONPATH": str(ROOT), **further}


def _said(script: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=_without_decision(**variables),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout + done.stderr


def test_whichever_module_is_imported_first_threads_sleep_before_torch_is_loaded() -> None:
    seen = json.loads(_said(SPY).splitlines()[-1])

    assert len(seen) > 80
    assert {"ContrastiveSegLib.jobs.finetune", "ContrastiveSegLib.networks.unet"} <= set(seen)
    assert [name for name, variables in seen.items() if variables != threads.PASSIVE_WAITING] == []


def test_the_command_line_is_read_without_torch() -> None:
    assert "False" in _said("import sys, ContrastiveSegLib.__main__; print('torch' in sys.modules)")


@pytest.mark.parametrize("variable", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY"])
def test_who_decided_how_to_wait_is_left_alone(variable) -> None:
    said = _said("import ContrastiveSegLib.jobs, os; print(dict(os.environ))", **{variable: "7"})

    assert f"'{variable}': '7'" in said
    assert sum(said.count(name) for name in threads.DECIDED_BY) == 1


def test_slicer_and_other_modules_in_its_process_keep_their_environment() -> None:
    said = _said("import ContrastiveSegLib.slicer_bridge.engine, os; print(dict(os.environ))")

    assert not any(name in said for name in threads.DECIDED_BY)


def test_gnu_openmp_takes_the_policy_over() -> None:
    pytest.importorskip("torch")
    if not sys.platform.startswith("linux"):
        pytest.skip("only libgomp prints its settings under this name")

    said = _said("import ContrastiveSegLib.jobs, torch", OMP_DISPLAY_ENV="VERBOSE")

    assert "OMP_WAIT_POLICY = 'PASSIVE'" in said
    assert "GOMP_SPINCOUNT = '0'" in said


def test_where_torch_is_loaded_already_nothing_pretends_to_be_decided() -> None:
    said = _said(
        "import os, sys; sys.modules['torch'] = sys; import ContrastiveSegLib.jobs; print(dict(os.environ))"
    )

    assert not any(name in said for name in threads.DECIDED_BY)


def test_what_lets_a_job_leave_a_core_respects_what_the_user_has_set() -> None:
    plain: dict[str, str] = {}
    decided = {"OMP_NUM_THREADS": "4", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "2"}
    before = dict(decided)

    threads.leave_a_core(plain)
    threads.leave_a_core(decided)

    assert threads.leaves_a_core(plain)
    assert plain["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] == str(max(1, (os.cpu_count() or 1) - 1))
    assert decided == before
    assert not threads.leaves_a_core(decided)
