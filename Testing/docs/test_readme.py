"""The README is short, plain, and its figures are those of the result files."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from statistics import mean, stdev

import pytest

MOST_LINES = {"README.md": 120, "ARCHITECTURE.md": 200, "Testing/Benchmarks/RESULTS.md": 200}
FIGURE = re.compile(r"(?<![\w.])\d+(?:\.\d+)*(?![\w.-])")
# Fenced code, tables, links without their text, inline code: what is left is read as sentences.
NOT_PROSE = re.compile(r"^```.*?^```|^\|.*?$|\]\([^)]*\)|`[^`]*`", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| (\d) \| (\d+)[^|]* \| ([\d.]+ ± [\d.]+) \| \**([^|*]+?)\** \|$", re.MULTILINE)


@pytest.mark.parametrize("name", MOST_LINES)
def test_what_everybody_reads_is_short(name: str, root: Path) -> None:
    lines = (root / name).read_text(encoding="utf-8").splitlines()

    assert len(lines) <= MOST_LINES[name]


def test_no_sentence_of_the_readme_has_more_than_two_figures(root: Path) -> None:
    prose = NOT_PROSE.sub("", (root / "README.md").read_text(encoding="utf-8"))
    paragraphs = [" ".join(part.split()) for part in prose.split("\n\n")]
    sentences = [s for part in paragraphs for s in re.split(r"(?<=[.:?!])\s+(?=[A-Z*])", part)]

    assert [sentence for sentence in sentences if len(FIGURE.findall(sentence)) > 2] == []


def test_the_table_of_the_readme_is_what_the_result_files_say(root: Path) -> None:
    rows = ROW.findall((root / "README.md").read_text(encoding="utf-8"))

    assert len(rows) == 3
    for annotated, steps, scratch, best in rows:
        held_out = ("acdc-held-out-1200-steps-3mm", "acdc-held-out-3mm")
        alone, with_scans = held_out if steps == "1200" else ("acdc-1500", "acdc-1500")
        assert scratch == _measured(root, alone, annotated)["scratch"]
        assert best in (_measured(root, with_scans, annotated).get("self_training"), "the same")


def _measured(root: Path, name: str, annotated: str) -> dict[str, str]:
    """Mean ± standard deviation over seeds of every method with so many annotated patients."""
    dice: dict[str, list[float]] = {}
    with (root / "Testing" / "Benchmarks" / "results" / f"{name}.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row["annotated"] == annotated:
                dice.setdefault(row["method"], []).append(float(row["dice"]))
    return {m: f"{mean(d):.3f} ± {stdev(d):.3f}" for m, d in dice.items() if len(d) > 1}
