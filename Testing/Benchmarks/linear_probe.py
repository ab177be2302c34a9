"""What pre-trained features know without any fine-tuning: ridge regression from frozen features.

    python Testing/Benchmarks/linear_probe.py DATA RUN [RUN ...] \\
        --results Testing/Benchmarks/results/acdc-linear-probe

Two questions per run, and the same of its network as it was drawn. Areas: R² of the area of each structure in
a slice, from the mean of the features over the plane. Pixels: mean Dice of the structures, from the features
of all levels at each pixel. Learned from k patients, asked of others, none of which is held out or annotated
in accuracy.py. Batch norm uses the statistics of each volume: a network as it was drawn has no others.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from accuracy import ROTATED
from torch import Tensor
from torch.nn import functional as F
from unseen_patients import ACDC_ANNOTATED, ACDC_UNSEEN, append, rows_of

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.networks.backbone import Backbone, build_network
from ContrastiveSegLib.networks.weights import load_parts, read_model_card
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.prepared_cache import Recipe, collect_table, prepare_cases
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from ContrastiveSegLib.settings.schema import from_dict

PENALTY = 1e-2  # of the ridge, in units of the mean square of a feature
PIXELS = 200  # of each slice that the second regression learns from
JUDGED = 20  # patients

Array = npt.NDArray[Any]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with images/ and labels/")
    parser.add_argument("runs", type=Path, nargs="+", help="run folders with a 2D pre-training")
    parser.add_argument("--results", type=Path, required=True, help="name of the table, without suffix")
    parser.add_argument("--annotated", type=int, nargs="+", default=[2, 20], help="patients to learn from")
    options = parser.parse_args()
    table = options.results.with_suffix(".csv")
    table.parent.mkdir(parents=True, exist_ok=True)
    done = {(row["run"], row["weights"]) for row in rows_of(table)}
    for path in options.runs:
        for weights in ("drawn", "pre-trained"):
            if (path.name, weights) not in done:
                for row in _rows(options, RunFolder(path), weights):
                    append(table, row)
                    print(row, flush=True)


def _rows(options: argparse.Namespace, run: RunFolder, weights: str) -> list[dict[str, Any]]:
    source = ModelFolder(run.pretrain)
    card = read_model_card(source)
    network = build_network(card["network"], seed=0, **card["arguments"])
    if weights == "pre-trained":
        load_parts(network, source)
    cases = _cases(options.data, run, card)
    patients = [str(p) for p in np.random.default_rng(7).permutation(sorted({c.patient for c in cases}))]
    rows = []
    for count in options.annotated:
        sets = patients[JUDGED : JUDGED + count], patients[:JUDGED]
        taught, asked = ([case for case in cases if case.patient in names] for names in sets)
        areas, dice = probe(network, taught, asked)
        rows.append(
            {
                "run": run.path.name,
                "weights": weights,
                "method": card.get("method", ""),
                "annotated": count,
                "areas_r2": round(float(np.mean(areas)), 4),
                "pixels_dice": round(float(np.mean(dice)), 4),
                "areas_r2_of_structures": " ".join(f"{value:.3f}" for value in areas),
                "pixels_dice_of_structures": " ".join(f"{value:.3f}" for value in dice),
            }
        )
    return rows


def _cases(data: Path, run: RunFolder, card: dict[str, Any]) -> list[PreparedCase]:
    """Those of patients that are neither held out nor annotated in accuracy.py."""
    used = {f"patient{n:03d}" for n in (*ACDC_ANNOTATED[:ROTATED], *ACDC_UNSEEN)}
    found = find_cases(data)
    cases = [case for case in found.cases if case.labels and case.patient not in used]
    recipe = Recipe(from_dict(WorkingGrid, card["grid"]), from_dict(Intensities, card["intensities"]))
    recipe = replace(recipe, table=collect_table(cases, found.table), annotation="cases")
    return [o.prepared for o in prepare_cases(cases, run.prepared, recipe) if o.prepared]


def probe(
    network: Backbone, taught: Sequence[PreparedCase], asked: Sequence[PreparedCase]
) -> tuple[Array, Array]:
    """R² of each structure's area in a slice, and Dice of each structure, over the cases that are asked."""
    structures = max(int(case.label_map.max()) for case in taught)
    means, areas, rows, classes = [], [], [], []
    generator = np.random.default_rng(0)
    for case in taught:
        levels, labels = _levels(network, case), np.asarray(case.label_map)
        means.append(_means(levels))
        areas.append(_areas(labels, structures))
        rows.append(_pixels(levels, labels, chosen := _chosen(labels, generator)))
        classes.append(labels.reshape(len(labels), -1)[np.arange(len(labels))[:, None], chosen].ravel())
    of_slice = ridge(np.concatenate(means), np.concatenate(areas))
    of_pixel = ridge(np.concatenate(rows), np.eye(structures + 1)[np.concatenate(classes)])
    return _judge(network, asked, of_slice, of_pixel, structures)


def _judge(
    network: Backbone, cases: Sequence[PreparedCase], of_slice: Array, of_pixel: Array, structures: int
) -> tuple[Array, Array]:
    guesses, areas, dice = [], [], []
    for case in cases:
        levels, labels = _levels(network, case), np.asarray(case.label_map)
        guesses.append(with_one(_means(levels)) @ of_slice)
        areas.append(_areas(labels, structures))
        everywhere = np.tile(np.arange(labels[0].size), (len(labels), 1))
        found = (with_one(_pixels(levels, labels, everywhere)) @ of_pixel).argmax(1).reshape(labels.shape)
        dice.append([_dice(found == n, labels == n) for n in range(1, structures + 1)])
    guess, true = np.concatenate(guesses), np.concatenate(areas)
    r2 = 1 - ((guess - true) ** 2).sum(0) / ((true - true.mean(0)) ** 2).sum(0)
    return r2, np.nanmean(np.array(dice), axis=0)


def ridge(features: Array, targets: Array) -> Array:
    """Weights (D + 1, T) of the regression from features (N, D) to targets (N, T), the constant last."""
    x = with_one(features.astype(np.float64))
    weight = PENALTY * len(x) * np.square(features, dtype=np.float64).mean()
    penalty = np.diag([weight] * features.shape[1] + [0.0])
    return np.linalg.solve(x.T @ x + penalty, x.T @ targets)


def with_one(features: Array) -> Array:
    return np.concatenate([features, np.ones((len(features), 1), features.dtype)], axis=1)


def _levels(network: Backbone, case: PreparedCase) -> list[Tensor]:
    """Features of every level (K, D, h, w), shallow to deep, of slices padded to what the network takes."""
    images = torch.from_numpy(np.array(case.images, np.float32)).movedim(1, 0)  # (K, C, H, W)
    sides = [-side % n for side, n in zip(images.shape[2:], network.stride, strict=True)]
    network.train()  # statistics of this volume
    with torch.no_grad():
        return list(network.encode(F.pad(images, (0, sides[1], 0, sides[0]))))


def _means(levels: Sequence[Tensor]) -> Array:
    return torch.cat([level.mean((2, 3)) for level in levels], 1).numpy()


def _areas(labels: Array, structures: int) -> Array:
    return np.stack([(labels == n).sum((1, 2)) for n in range(1, structures + 1)], 1)


def _chosen(labels: Array, generator: np.random.Generator) -> Array:
    """Pixels of each slice (K, PIXELS), half of them of structures where there are any."""
    chosen = []
    for cut in labels.reshape(len(labels), -1):
        inside = np.flatnonzero(cut)
        half = PIXELS // 2 if len(inside) else 0
        chosen.append(
            np.concatenate(
                [
                    generator.choice(inside, half) if half else inside[:0],
                    generator.choice(cut.size, PIXELS - half),
                ]
            )
        )
    return np.stack(chosen)


def _pixels(levels: Sequence[Tensor], labels: Array, chosen: Array) -> Array:
    """Features of all levels (K N, D) at the chosen pixels (K, N)."""
    shape = levels[0].shape[2:]
    width = labels.shape[2]
    at = torch.from_numpy(chosen // width * shape[1] + chosen % width)  # of the padded slice
    found = []
    for level in levels:
        large = F.interpolate(level, size=shape, mode="bilinear", align_corners=False).flatten(2)
        found.append(large.gather(2, at[:, None].expand(-1, large.shape[1], -1)))
    return torch.cat(found, 1).movedim(1, 2).flatten(0, 1).numpy()


def _dice(found: Array, true: Array) -> float:
    size = found.sum() + true.sum()
    return 2 * float((found & true).sum()) / float(size) if size else float("nan")


if __name__ == "__main__":
    main()
