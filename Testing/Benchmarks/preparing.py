"""Time and memory of preparing a folder for the first time, of finding it prepared, and of superpixels.

python Testing/Benchmarks/preparing.py ../shared/data/acdc
python Testing/Benchmarks/preparing.py ../shared/data/acdc --in-place
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.file_io.files import read_geometry
from ContrastiveSegLib.file_io.reader import be_the_child
from ContrastiveSegLib.imaging.grid import derive_grid
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.prepared_cache import Recipe, collect_table, prepare_cases


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument(
        "--in-place",
        action="store_true",
        help="read files within the process, as before there was another one",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for title in ("first start", "second start", "with superpixels", "second start with superpixels"):
            # A process of its own, because peak memory never falls again within one.
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                cases, seconds, peak_mb = pool.apply(
                    prepare, (options.data, Path(folder), "superpixels" in title, options.in_place)
                )
            print(f"{title}: {cases} volumes with labels in {seconds:.1f} s, peak memory {peak_mb:.0f} MB")


def prepare(data: Path, folder: Path, regions: bool, in_place: bool = False) -> tuple[int, float, float]:
    """Find, read and prepare all images and labels; returns their number, seconds and peak memory in MB."""
    if in_place:
        be_the_child()
    begin = time.perf_counter()
    listing = find_cases(data)
    grid = derive_grid([read_geometry(case.images) for case in listing.cases])
    recipe = Recipe(grid, Intensities(), collect_table(listing.cases, listing.table), regions)
    outcomes = prepare_cases(listing.cases, folder, recipe)
    seconds = time.perf_counter() - begin
    return (
        sum(outcome.prepared is not None for outcome in outcomes),
        seconds,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


if __name__ == "__main__":
    main()
