"""The whole job from a folder to predictions: pre-train on all, fine-tune on the labeled, segment all.

PythonSlicer learn_and_segment.py RUN FOLDER [--labeled FOLDER] [--method NAME] [--pretrain-steps N]
    [--finetune-steps N] [--output FOLDER]

Start the same command again after an interruption: what is finished stays, the rest goes on.
"""

import argparse
import sys
from pathlib import Path


def findLibrary() -> None:
    """Make ContrastiveSegLib importable, wherever this script lies in the extension."""
    roots = [folder for folder in Path(__file__).resolve().parents if (folder / "ContrastiveSegLib").is_dir()]
    if roots and str(roots[0]) not in sys.path:
        sys.path.append(str(roots[0]))


def orders(asked) -> list:
    """The commands, in the order of the work."""
    pretrain = ["pretrain", asked.run, "--images", asked.folder, "--method", asked.method]
    finetune = ["finetune", asked.run, "--labeled", asked.labeled or asked.folder]
    predict = ["predict", asked.run, "--images", asked.folder]
    if asked.pretrain_steps:
        pretrain += ["--steps", asked.pretrain_steps]
    if asked.finetune_steps:
        finetune += ["--steps", asked.finetune_steps]
    if asked.output:
        predict += ["--output", asked.output]
    return [pretrain, finetune, predict]


def main(words) -> int:
    """Exit code of the first job that did not come to its end, else 0."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("run", "folder"):
        parser.add_argument(name)
    for name in ("--labeled", "--pretrain-steps", "--finetune-steps", "--output"):
        parser.add_argument(name, default="")
    parser.add_argument("--method", default="supercl")
    asked = parser.parse_args(words)
    findLibrary()
    try:
        from ContrastiveSegLib.__main__ import main as do
    except ModuleNotFoundError as error:
        print(f"{error}. Open the module in Slicer once and install what is missing in step 0.")
        return 1
    for order in orders(asked):
        if code := do(order):
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
