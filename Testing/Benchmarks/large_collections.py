"""Time and memory of preparing very many cases, of finding them prepared, and of beginning to draw from them.

    python Testing/Benchmarks/large_collections.py --cases 1000 10000 --results OUT.csv

The cases are generated: small volumes of noise with a block as label, because what is measured is what each
case costs beside its voxels. Each start is a process of its own, as that of a job is. Processor seconds are
those of all its processes; they say more than the clock where other work runs on the machine.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import SimpleITK as sitk
from preparing import processor_seconds

from ContrastiveSegLib.file_io.reader import start_reading
from ContrastiveSegLib.imaging.grid import derive_grid
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.prepared_cache import Recipe
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.session.reporter import Reporter
from ContrastiveSegLib.settings.job_settings import CaseSelection
from ContrastiveSegLib.training.batches import Sampler
from ContrastiveSegLib.training.data import find_readable_cases, usable
from ContrastiveSegLib.training.preparing import prepare_all

SHAPE, PATCH = (8, 48, 48), (32, 32)
HEADER = ("cases", "start", "part", "seconds", "processor_seconds", "ms_per_case", "peak_mb")
Row = tuple[int, str, str, str, str, str, str]


def main() -> None:
    lines = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=lines)
    parser.add_argument("--cases", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--results", type=Path, help="where the rows go")
    asked = parser.parse_args()
    rows: list[Row] = []
    for cases in asked.cases:
        with tempfile.TemporaryDirectory() as folder:
            write_cases(Path(folder) / "scans", cases)
            for start in ("first", "second"):
                with multiprocessing.get_context("spawn").Pool(1) as pool:  # peak memory never falls in one
                    rows += pool.apply(one_start, (Path(folder), start))
                print(*rows[-3:], sep="\n", flush=True)
    if asked.results:
        with asked.results.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([HEADER, *rows])


def write_cases(folder: Path, cases: int) -> None:
    """Images and labels, each file another one."""
    random = np.random.default_rng(0)
    label = np.zeros(SHAPE, np.uint8)
    label[2:6, 10:30, 10:30] = 1
    for n, role in itertools.product(range(cases), ("images", "labels")):
        array = label if role == "labels" else (300 * random.random(SHAPE)).astype(np.int16)
        image = sitk.GetImageFromArray(array)
        image.SetSpacing((1.5, 1.5, 6.0))
        (folder / role).mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(image, folder / role / f"case{n:05d}.nii.gz")


def one_start(folder: Path, start: str) -> list[Row]:
    """What a job does before its first step: find the cases, prepare them, draw a batch."""
    start_reading()
    run = RunFolder(folder / "run")
    run.create()
    marks = [_now()]
    found = find_readable_cases(folder / "scans", CaseSelection(), prepared=run.prepared)
    marks.append(_now())
    recipe = Recipe(derive_grid(found.geometries), Intensities())
    outcomes = prepare_all(found, run.prepared, recipe, Reporter(run, "pretrain"))
    marks.append(_now())
    Sampler(usable(outcomes), PATCH, labeled=False, seed=0).draw(0, 8)
    marks.append(_now())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows: list[Row] = []
    for part, (before, after) in zip(("find", "prepare", "draw"), itertools.pairwise(marks), strict=True):
        seconds, processor = (b - a for a, b in zip(before, after, strict=True))
        cases = len(outcomes)
        figures = f"{seconds:.2f}", f"{processor:.2f}", f"{1000 * seconds / cases:.2f}", f"{peak:.0f}"
        rows.append((cases, start, part, *figures))
    return rows


def _now() -> tuple[float, float]:
    own = psutil.Process()
    return time.perf_counter(), processor_seconds(own, *own.children(recursive=True))


if __name__ == "__main__":
    main()
