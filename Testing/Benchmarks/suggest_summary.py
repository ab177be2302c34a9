"""Table and picture of the benchmark of `suggest`: each fine-tuning a dot, each way of choosing a column."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt

# Columns from left to right.
CHOICES = ("random", "typicality", "coverage", "k_center")
Scores = dict[str, dict[str, list[float]]]  # unit, choice


def write_summary(table: Path) -> None:
    """Write table and picture beside the rows of the runs."""
    scores: Scores = defaultdict(lambda: defaultdict(list))
    with table.open(encoding="utf-8", newline="") as stream:
        for row in sorted(csv.DictReader(stream), key=lambda row: CHOICES.index(row["choice"])):
            scores[row["unit"]][row["choice"]].append(float(row["dice"]))
    text = _table(scores)
    table.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text, flush=True)
    _draw(scores, table.with_suffix(".png"), table.stem)


def _table(scores: Scores) -> str:
    lines = [
        "| annotated | choice | runs | mean Dice ± sd | lowest ... highest | to random | draws below |",
        "|---|---|---|---|---|---|---|",
    ]
    for unit, choices in scores.items():
        random = np.array(choices.get("random", []))
        for choice, dice in choices.items():
            mean, spread = np.mean(dice), f" ± {np.std(dice, ddof=1):.3f}" if len(dice) > 1 else ""
            against = ["", ""]
            if choice != "random" and len(random):
                against = [f"{mean - random.mean():+.3f}", f"{(random < mean).sum()} of {len(random)}"]
            lines.append(
                f"| {unit} | {choice} | {len(dice)} | {mean:.3f}{spread} | {min(dice):.3f} ... "
                f"{max(dice):.3f} | {against[0]} | {against[1]} |"
            )
    return "\n".join([*lines, ""])


def _draw(scores: Scores, path: Path, title: str) -> None:
    figure, panels = plt.subplots(
        1, len(scores), figsize=(4.2 * len(scores), 3.8), layout="constrained", squeeze=False
    )
    for panel, (unit, choices) in zip(panels[0], scores.items(), strict=True):
        for n, (choice, dice) in enumerate(choices.items()):
            color = "gray" if choice == "random" else f"C{CHOICES.index(choice)}"
            panel.scatter(n + np.linspace(-0.12, 0.12, len(dice)), dice, color=color, alpha=0.7)
            panel.hlines(np.mean(dice), n - 0.3, n + 0.3, color=color)
        panel.set_xticks(range(len(choices)), list(choices))
        panel.set_title(f"{title}: annotated {unit}", fontsize=9)
        panel.set_ylabel("mean Dice of unseen patients")
        panel.grid(alpha=0.3, axis="y")
    figure.savefig(path, dpi=110)
    plt.close(figure)
