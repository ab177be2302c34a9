"""Segment every case of a folder with a run.

PythonSlicer segment_folder.py RUN IMAGES [--output FOLDER and other flags of `predict`]

The same as `python -m ContrastiveSegLib predict`, from wherever the extension is installed.
"""

import sys
from pathlib import Path


def findLibrary() -> None:
    """Make ContrastiveSegLib importable, wherever this script lies in the extension."""
    roots = [folder for folder in Path(__file__).resolve().parents if (folder / "ContrastiveSegLib").is_dir()]
    if roots and str(roots[0]) not in sys.path:
        sys.path.append(str(roots[0]))


def main(words) -> int:
    """Exit code of the job."""
    if len(words) < 2 or words[0].startswith("-"):
        print(__doc__)
        return 2
    findLibrary()
    try:
        from ContrastiveSegLib.__main__ import main as do
    except ModuleNotFoundError as error:
        print(f"{error}. Open the module in Slicer once and install what is missing in step 0.")
        return 1
    run, images, *others = words
    return do(["predict", run, "--images", images, *others])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
