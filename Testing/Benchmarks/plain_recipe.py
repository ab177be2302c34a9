"""The plain recipe that the product must not fall behind: MONAI's BasicUNet on the middle of slices.

    python Testing/Benchmarks/plain_recipe.py DATA OUT [--product PREDICTIONS ...]

Batch norm, 16 to 256 channels; rotation, scale, flip, gamma, brightness and noise drawn per batch; Dice +
cross-entropy; AdamW, one cycle up to 3e-3; bfloat16; 1500 steps of 8 middles of 128 x 128 pixels at 1.5 mm.
Judged on unseen patients, on the images' own grids, in the middle it was trained on: a network that has seen
nothing else invents hearts elsewhere. `--product` judges the product's predictions within the same middle.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.losses import DiceCELoss
from monai.networks.nets import BasicUNet
from unseen_patients import ACDC_ANNOTATED, ACDC_UNSEEN

from ContrastiveSegLib.contrast.augmentation import (
    IntensityAugmentation,
    SpatialAugmentation,
    augment_intensities,
    random_grid,
    warp,
)
from ContrastiveSegLib.dataset.cases import Case, find_cases
from ContrastiveSegLib.file_io.files import read_image, read_labels
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.resampling import prepare, prepare_labels, restore

SIDE, STEPS, BATCH, RATE = 128, 1500, 8, 3e-3
GRID = WorkingGrid("axial", 1.5, 0.0, (SIDE, SIDE))
MOVEMENT = SpatialAugmentation(rotation=math.radians(30), scale=0.2, shift=0.0, flip=True, elastic=0.0)
APPEARANCE = IntensityAugmentation(
    brightness=0.25, contrast=0.0, gamma=0.4, noise=0.05, blur=0.0, probability=1.0
)
VALUES = (1, 2, 3)
Predict = Callable[[Case], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, help="folder with the images and labels of ACDC")
    parser.add_argument("output", type=Path, help="file for the table")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--product", type=Path, nargs="*", default=[], help="folders, with %%d for the seed")
    options = parser.parse_args()
    cases = [case for case in find_cases(options.data).cases if case.labels]
    training = [case for case in cases if _number(case) in ACDC_ANNOTATED[:8]]
    unseen = [case for case in cases if _number(case) not in ACDC_ANNOTATED[:8]]
    found = {
        "plain recipe": [_judged(_predictor(_trained(training, s)), unseen) for s in range(options.seeds)]
    }
    if options.product:
        folders = [[Path(str(f) % s) for f in options.product] for s in range(options.seeds)]
        found["product"] = [_judged(lambda case, f=each: _predicted(case, f), unseen) for each in folders]
    options.output.write_text(_table(found), encoding="utf-8")
    print(options.output.read_text(encoding="utf-8"))


def _number(case: Case) -> int:
    return int(case.patient.removeprefix("patient"))


def _trained(cases: Sequence[Case], seed: int) -> torch.nn.Module:
    """The network after its training; everything random comes from the seed."""
    torch.manual_seed(seed)
    network = BasicUNet(2, 1, 1 + len(VALUES), features=(16, 32, 64, 128, 256, 16), norm="batch")
    images, labels = (torch.cat(each) for each in zip(*map(_middle_with_labels, cases), strict=True))
    optimizer = torch.optim.AdamW(network.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS)
    loss_of = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=True)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(STEPS):
        chosen = torch.randint(len(images), (BATCH,), generator=generator)
        grid = random_grid(images[chosen], MOVEMENT, generator)
        seen = augment_intensities(warp(images[chosen], grid), APPEARANCE, generator)
        truth = warp(labels[chosen].float(), grid, mode="nearest").long()
        with torch.autocast("cpu", torch.bfloat16):
            scores = network(seen)
        optimizer.zero_grad()
        loss_of(scores.float(), truth).backward()
        optimizer.step()
        schedule.step()
    return network.eval()


def _middle_with_labels(case: Case) -> tuple[torch.Tensor, torch.Tensor]:
    """Images and labels (K, 1, SIDE, SIDE) of the middle of each slice."""
    image = _prepared(case)
    labels = prepare_labels(read_labels(case.labels).volume, image.geometry).array
    return _middle_of(image.array[0]).float(), _middle_of(labels).long()


def _prepared(case: Case) -> Volume:
    return prepare(read_image(case.images).volume, GRID, Intensities())[0]


def _middle_of(slices: np.ndarray) -> torch.Tensor:
    """(K, H, W) to (K, 1, SIDE, SIDE), filled with 0 where the slices are smaller."""
    found = np.zeros((len(slices), SIDE, SIDE), slices.dtype)
    there, here = zip(*(_overlap(n) for n in slices.shape[1:]), strict=True)
    found[(slice(None), *here)] = slices[(slice(None), *there)]
    return torch.from_numpy(found)[:, None]


def _overlap(extent: int) -> tuple[slice, slice]:
    """Where the middle lies in an axis, and where that part lies in the middle."""
    first = extent // 2 - SIDE // 2
    start, stop = max(0, first), min(extent, first + SIDE)
    return slice(start, stop), slice(start - first, stop - first)


def _predictor(network: torch.nn.Module) -> Predict:
    def predict(case: Case) -> np.ndarray:
        image = _prepared(case)
        with torch.inference_mode():
            middle = network(_middle_of(image.array[0]).float()).argmax(1).numpy()
        labels = np.zeros(image.array.shape[1:], np.int16)
        there, here = zip(*(_overlap(n) for n in labels.shape[1:]), strict=True)
        labels[(slice(None), *there)] = middle[(slice(None), *here)]
        return restore(Volume(labels, image.geometry), read_labels(case.labels).volume.geometry).array

    return predict


def _predicted(case: Case, folders: Iterable[Path]) -> np.ndarray:
    path = next(p for f in folders if (p := f / f"{case.name}.seg.nrrd").is_file())
    return read_labels(path, read_labels(case.labels).table).volume.array


def _judged(predict: Predict, cases: Sequence[Case]) -> dict[int, np.ndarray]:
    """Dice of each structure within the middle, per patient: the mean of the patient's volumes."""
    found: dict[int, list[list[float]]] = defaultdict(list)
    for case in cases:
        truth = read_labels(case.labels).volume
        area = (slice(None), *(_of_middle(n, truth.geometry.spacing[0]) for n in truth.array.shape[1:]))
        seen, true = predict(case)[area], truth.array[area]
        found[_number(case)].append([_dice(seen == v, true == v) for v in VALUES])
    return {patient: np.nanmean(dice, axis=0) for patient, dice in found.items()}


def _of_middle(extent: int, spacing: float) -> slice:
    half = round(SIDE * GRID.spacing / spacing / 2)
    return slice(max(0, extent // 2 - half), extent // 2 + half)


def _dice(seen: np.ndarray, true: np.ndarray) -> float:
    size = seen.sum() + true.sum()
    return float(2 * (seen & true).sum() / size) if size else math.nan


def _table(found: dict[str, list[dict[int, np.ndarray]]]) -> str:
    """One line per set of patients and recipe: structures and mean over patients, mean and SD over seeds."""
    chosen_on = {n for runs in found.values() for n in runs[0]} - set(ACDC_UNSEEN)
    groups: dict[str, set[int]] = {
        "20": set(ACDC_UNSEEN),
        "52": chosen_on,
        "all 72": chosen_on | set(ACDC_UNSEEN),
    }
    lines = ["| unseen patients | | RV | Myo | LV | mean |", "|---|---|---|---|---|---|"]
    for group, patients in groups.items():
        for name, runs in found.items():
            means = np.array([np.mean([run[n] for n in run if n in patients], axis=0) for run in runs])
            columns: list[Any] = [*means.T, means.mean(axis=1)]
            cells = [f"{values.mean():.3f} ± {values.std(ddof=1):.3f}" for values in columns]
            lines.append(f"| {group} | {name} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
