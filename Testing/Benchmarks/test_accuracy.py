"""The profile of a benchmark under all names of its fields, and how several processes share its runs."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.runs.file_lock import hold


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


def test_a_run_that_another_process_works_at_is_left_to_it(accuracy: ModuleType, tmp_path: Path) -> None:
    run = tmp_path / "scratch-seed0"

    with hold(tmp_path / "scratch-seed0.lock"):
        of_another = list(accuracy.taken(run, [1, 2]))

    assert of_another == []
    assert list(accuracy.taken(run, [1, 2])) == [1, 2]


def test_rows_of_several_processes_reach_one_table(accuracy: ModuleType, tmp_path: Path) -> None:
    table, script = tmp_path / "table.csv", "import sys; sys.path[:0] = sys.argv[3:]; import accuracy as a\n"
    script += "from pathlib import Path; table = Path(sys.argv[1])\n"
    script += "for n in range(20):\n with a.alone_at(table):\n  a.append(table, {'who': sys.argv[2], 'n': n})"
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

    others = [
        subprocess.Popen([sys.executable, "-c", script, str(table), name, *folders])
        for name in ("one", "two")
    ]

    assert [process.wait() for process in others] == [0, 0]
    rows = [(row["who"], int(row["n"])) for row in accuracy.rows_of(table)]
    assert sorted(rows) == [(name, n) for name in ("one", "two") for n in range(20)]
