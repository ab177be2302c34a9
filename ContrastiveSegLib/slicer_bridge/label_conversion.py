"""Read DICOM labels with the Python of the jobs, which has the packages for them that Slicer lacks.

`python -m ContrastiveSegLib.slicer_bridge.label_conversion convert --settings FILE` writes a .seg.nrrd.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ContrastiveSegLib.dataset.cases import Case
from ContrastiveSegLib.errors import BadFile, ContrastiveSegError
from ContrastiveSegLib.file_io.dicom import is_dicom
from ContrastiveSegLib.file_io.files import read_labels, write_labels
from ContrastiveSegLib.file_io.label_meanings import as_segments
from ContrastiveSegLib.runs.atomic_write import write_json
from ContrastiveSegLib.slicer_bridge.engine import ROOT, Engine

MODULE = "ContrastiveSegLib.slicer_bridge.label_conversion"
LONGEST_S = 600
CHECK_SETUP = "Check the Python of the set-up."


@contextmanager
def readable_by_slicer(path: Path, case: Case, engine: Engine) -> Iterator[Path]:
    """The file itself, or for DICOM a .seg.nrrd with the same segments, for as long as it is read.

    Raises:
        BadFile: The labels cannot be used, or a package is missing.
    """
    if not is_dicom(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        order, target = Path(folder) / "convert.json", Path(folder) / f"{case.name}.seg.nrrd"
        said = Path(folder) / "said.json"
        images = [str(image) for image in case.images]
        facts = {"labels": str(path), "images": images, "output": str(target), "said": str(said)}
        write_json(order, {"convert": facts})
        _run([engine.command[0], "-u", "-m", MODULE, "convert", "--settings", str(order)], engine, path)
        if said.is_file():
            raise BadFile(*json.loads(said.read_text(encoding="utf-8")))
        if not target.is_file():
            raise BadFile(f"{path} cannot be read by {engine.command[0]}.", CHECK_SETUP)
        yield target


def _run(words: list[str], engine: Engine, path: Path) -> None:
    try:
        subprocess.run(
            words,
            cwd=ROOT,
            env=engine.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LONGEST_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadFile(f"{path} cannot be read by {words[0]}: {error}.", CHECK_SETUP) from error


def main(words: Sequence[str]) -> int:
    """Write the file, or why it cannot be written: what happened, and what to do."""
    order = json.loads(Path(words[2]).read_text(encoding="utf-8"))[words[0]]
    try:
        read = read_labels(Path(order["labels"]), image=[Path(image) for image in order["images"]])
        write_labels(Path(order["output"]), *as_segments(read))
    except ContrastiveSegError as error:
        write_json(Path(order["said"]), [error.what, error.remedy])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
