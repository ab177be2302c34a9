"""Table and curve of the truth meter: mean, spread over seeds, and the paired difference to scratch."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path

import matplotlib as mpl
import numpy as np
from scipy import stats

mpl.use("Agg")
from matplotlib import pyplot as plt

Scores = dict[str, dict[int, dict[int, dict[str, float]]]]  # method, annotated, seed, patient


def write_summary(table: Path, profile: str) -> None:
    """Write the table, and the curve if there is one, beside the rows of the runs."""
    scores = _read(table)
    text = _table(scores)
    table.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text, flush=True)
    if len({count for found in scores.values() for count in found}) > 1:  # one point is no curve
        _draw(scores, table.with_suffix(".png"), profile)


def _read(table: Path) -> Scores:
    scores: Scores = defaultdict(lambda: defaultdict(dict))
    with table.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            patients = json.loads(row["dice_of_patients"])
            scores[row["method"]][int(row["annotated"])][int(row["seed"])] = patients
    return _complete(scores)


def _complete(scores: Scores) -> Scores:
    """For each number of patients only the seeds that every method has run with it, if there is one.

    Each seed has its own annotated patients, so means over different seeds cannot be compared.
    """
    each: dict[int, list[set[int]]] = defaultdict(list)
    for found in scores.values():
        for count, seeds in found.items():
            each[count].append(set(seeds))
    shared = {count: set.intersection(*sets) or set.union(*sets) for count, sets in each.items()}
    return {
        method: {
            count: {s: seeds[s] for s in sorted(shared[count] & set(seeds))} for count, seeds in found.items()
        }
        for method, found in scores.items()
    }


def _table(scores: Scores) -> str:
    lines = [
        "| annotated | method | seeds | Dice: mean ± sd over seeds | difference to scratch [95 % interval] |",
        "|---|---|---|---|---|",
    ]
    for count in sorted({count for method in scores.values() for count in method}):
        for method, found in scores.items():
            if count in found:
                means = [np.mean(list(patients.values())) for patients in found[count].values()]
                spread = f"± {np.std(means, ddof=1):.3f}" if len(means) > 1 else ""
                difference = _difference(found[count], scores.get("scratch", {}).get(count, {}))
                lines.append(
                    f"| {count} | {method} | {len(means)} | {np.mean(means):.3f} {spread} | {difference} |"
                )
    return "\n".join([*lines, ""])


def _difference(mine: dict[int, dict[str, float]], scratch: dict[int, dict[str, float]]) -> str:
    """Per patient, averaged over the seeds that both have; the interval is Student's over patients."""
    seeds = sorted(set(mine) & set(scratch))
    if not seeds or mine == scratch:
        return ""
    patients = sorted(mine[seeds[0]])
    per_patient = [np.mean([mine[s][p] - scratch[s][p] for s in seeds]) for p in patients]
    half = stats.sem(per_patient) * stats.t.ppf(0.975, len(patients) - 1)
    mean = np.mean(per_patient)
    return f"{mean:+.3f} [{mean - half:+.3f}, {mean + half:+.3f}]"


def _draw(scores: Scores, path: Path, profile: str) -> None:
    seeds = max(len(seeds) for found in scores.values() for seeds in found.values())
    figure, axes = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
    for n, (method, found) in enumerate(scores.items()):
        counts = sorted(found)
        means = [[np.mean(list(p.values())) for p in found[count].values()] for count in counts]
        spread = [np.std(m, ddof=1) if len(m) > 1 else 0 for m in means]
        style = {"color": "black", "linewidth": 2.2} if method == "scratch" else {}
        axes.errorbar(
            np.array(counts) * 1.03 ** (n - len(scores) / 2),
            [np.mean(m) for m in means],
            spread,
            marker="o",
            markersize=4,
            capsize=2,
            label=method,
            **style,
        )
    axes.set_xscale("log", base=2)
    ticks = sorted({count for found in scores.values() for count in found})
    axes.set_xticks(ticks, [str(t) for t in ticks])
    axes.minorticks_off()
    axes.set_xlabel("annotated patients")
    axes.set_ylabel("mean Dice per patient")
    axes.set_title(
        f"Unseen patients, profile {profile}, {seeds} seeds; bars: standard deviation over seeds", fontsize=9
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=130)
    plt.close(figure)
