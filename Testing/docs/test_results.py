"""The results name their rows, no row is kept that no result names, and figures are those of the rows."""

from __future__ import annotations

import csv
import re
from fnmatch import fnmatch
from pathlib import Path
from statistics import mean, stdev

RESULTS = Path("Testing") / "Benchmarks" / "results"


def _named(root: Path) -> list[str]:
    text = (root / RESULTS.parent / "RESULTS.md").read_text(encoding="utf-8")
    return re.findall(r"`([\w*.-]+\.(?:csv|md|png))`", text)


def test_every_file_of_results_belongs_to_a_claim(root: Path) -> None:
    files = sorted(path.name for path in (root / RESULTS).iterdir() if path.is_file())
    named = _named(root)

    assert [file for file in files if not any(fnmatch(file, name) for name in named)] == []


def test_every_row_file_that_is_named_is_there(root: Path) -> None:
    files = [path.name for path in (root / RESULTS).iterdir()]

    missing = [name for name in _named(root) if not any(fnmatch(file, name) for file in files)]

    assert [name for name in missing if name not in ("OUT.md", "report.csv")] == []


def test_the_figures_of_pre_training_are_those_of_the_rows(root: Path) -> None:
    text = (root / RESULTS.parent / "RESULTS.md").read_text(encoding="utf-8")
    table = text.partition("## 3.")[2].partition("## 4.")[0]
    dice: dict[tuple[str, str], list[float]] = {}
    with (root / RESULTS / "acdc-cpu.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            name = row["method"].partition(" ")[0]
            dice.setdefault((name, row["annotated"]), []).append(float(row["dice"]))

    for (name, annotated), values in dice.items():
        line = next(line for line in table.splitlines() if line.strip("| *").startswith(name))
        cell = line.split("|")[2 + ["1", "2", "8"].index(annotated)]
        assert f"{mean(values):.3f} ± {stdev(values):.3f}" in cell
