"""Time and memory of preparing a folder for the first time, of finding it prepared, and of superpixels.

python Testing/Benchmarks/preparing.py ../shared/data/acdc
python Testing/Benchmarks/preparing.py ../shared/data/acdc --compare 5 --results OUT.csv

With --compare: what reading files in a process of their own costs, by so many first starts each way, in turn.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import multiprocessing
import resource
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.file_io.headers import read_geometries
from ContrastiveSegLib.file_io.reader import mark_as_reader_process, start_reading
from ContrastiveSegLib.imaging.grid import derive_grid
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.prepared_cache import Recipe, collect_table, prepare_cases


@dataclass(frozen=True)
class Measured:
    """One start: volumes with labels, seconds on the clock and of all processes together, peak memory."""

    cases: int
    seconds: float
    processor_s: float
    peak_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--compare", type=int, metavar="TIMES", help="first starts with and without")
    parser.add_argument("--results", type=Path, help="where the rows of --compare go")
    options = parser.parse_args()
    if options.compare:
        compare(options.data, options.compare, options.results)
        return
    with tempfile.TemporaryDirectory() as folder:
        for title in ("first start", "second start", "with superpixels", "second start with superpixels"):
            found = measured(options.data, Path(folder), "superpixels" in title)
            print(
                f"{title}: {found.cases} volumes with labels in {found.seconds:.1f} s, "
                f"peak memory {found.peak_mb:.0f} MB"
            )


def compare(data: Path, times: int, results: Path | None) -> None:
    """First starts with and without the reading process, in turn, so that other work meets both."""
    rows = []
    for turn in range(times):
        # Whoever comes second finds the files in the memory of the system, so the order changes.
        for way in ("in place", "apart")[:: 1 if turn % 2 else -1]:
            with tempfile.TemporaryDirectory() as folder:
                found = measured(data, Path(folder), False, way == "in place")
            rows.append((turn + 1, way, found.cases, f"{found.seconds:.2f}", f"{found.processor_s:.2f}"))
            print(*rows[-1], flush=True)
    for column, title in ((3, "clock"), (4, "processor")):
        medians = [
            statistics.median(float(row[column]) for row in rows if row[1] == way)
            for way in ("in place", "apart")
        ]
        print(
            f"{title}: {medians[0]:.2f} s in place, {medians[1]:.2f} s apart: {medians[1] / medians[0]:.3f}"
        )
    if results is not None:
        with results.open("w", encoding="utf-8", newline="") as file:
            header = ("turn", "files_are_read", "volumes", "seconds", "processor_seconds")
            csv.writer(file, lineterminator="\n").writerows([header, *rows])


def measured(data: Path, folder: Path, regions: bool, in_place: bool = False) -> Measured:
    """Prepare in a process of its own, because peak memory never falls again within one."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(prepare, (data, folder, regions, in_place))


def prepare(data: Path, folder: Path, regions: bool, in_place: bool = False) -> Measured:
    """Find, read and prepare all images and labels."""
    if in_place:
        mark_as_reader_process()
    start_reading()
    importlib.import_module("torch")  # as each job does, while the other process loads what it needs
    own = psutil.Process()
    begin, before = time.perf_counter(), processor_seconds(own)
    listing = find_cases(data)
    images = [(case.images, case.last_axis_is_channels) for case in listing.cases]
    grid = derive_grid([geometry for geometry in read_geometries(images) if geometry])
    recipe = Recipe(grid, Intensities(), collect_table(listing.cases, listing.table), regions)
    outcomes = prepare_cases(listing.cases, folder, recipe)
    return Measured(
        sum(outcome.prepared is not None for outcome in outcomes),
        time.perf_counter() - begin,
        processor_seconds(own, *own.children(recursive=True)) - before,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def processor_seconds(*processes: psutil.Process) -> float:
    """Of all these together."""
    times = [process.cpu_times() for process in processes]
    return sum(time.user + time.system for time in times)


if __name__ == "__main__":
    main()
