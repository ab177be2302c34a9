"""What reading many label files costs, compared with another state of this program.

git archive COMMIT | tar -x -C OTHER
python Testing/Benchmarks/reading_labels.py OTHER --files 1000 --times 5

Both read the same files in turn: NIfTI and .seg.nrrd, with and without names. Said is the processor time of
all processes, which other work on the machine changes least.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from ContrastiveSegLib.file_io.files import write_labels
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Geometry, Volume

HERE = Path(__file__).parents[2]
GRID = Geometry((96, 96, 24), (1.5, 1.5, 3.0))
TABLE = LabelTable(tuple(Structure(n, f"structure {n}", (1.0, n / 9, 0.0)) for n in (1, 2, 5)))
SUFFIXES = (".nii.gz", ".seg.nrrd")
READ = """
import os, sys
from pathlib import Path
import ContrastiveSegLib
from ContrastiveSegLib.file_io.files import read_labels
assert Path(ContrastiveSegLib.__file__).parents[1] == Path.cwd(), ContrastiveSegLib.__file__
found = sum(int(read_labels(file).volume.array.max()) for file in sorted(Path(sys.argv[1]).iterdir()))
print(found)
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("other", type=Path, help="folder with the other state of the program")
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    trees = {"now": HERE, "before": options.other.resolve()}
    seconds: dict[str, list[float]] = {name: [] for name in trees}
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), options.files)
        for _ in range(options.times):
            for name, tree in trees.items():
                seconds[name].append(processor_s(tree, Path(folder)))
                print(f"{name}: {seconds[name][-1]:.2f} s")
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ratios = [now / before for now, before in zip(seconds["now"], seconds["before"], strict=True)]
    print(
        f"{options.files} files: {medians['before']:.2f} s before, {medians['now']:.2f} s now; median of the "
        f"pairs {statistics.median(ratios) - 1:+.1%} ({min(ratios) - 1:+.1%} to {max(ratios) - 1:+.1%})."
    )


def write_files(folder: Path, count: int) -> None:
    """Label maps of three balls, in turn in each format."""
    random = np.random.default_rng(0)
    places = np.stack(np.meshgrid(*(np.arange(n) for n in GRID.shape), indexing="ij"), axis=-1)
    for number in range(count):
        labels = np.zeros(GRID.shape, np.int16)
        for value in TABLE.values:
            middle = random.uniform(0.2, 0.8, 3) * GRID.shape
            labels[(((places - middle) / (0.4, 1, 1)) ** 2).sum(-1) < random.uniform(50, 200)] = value
        file = folder / f"case_{number:04d}{SUFFIXES[number % len(SUFFIXES)]}"
        write_labels(file, Volume(labels, GRID), TABLE)


def processor_s(tree: Path, folder: Path) -> float:
    """Of reading all files with the program in a folder, in all its processes together."""
    before = os.times()
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    subprocess.run([sys.executable, "-c", READ, str(folder)], cwd=tree, env=environment, check=True)
    after = os.times()
    return (after.children_user + after.children_system) - (before.children_user + before.children_system)


if __name__ == "__main__":
    main()
