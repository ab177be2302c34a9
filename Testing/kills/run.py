"""Kill jobs at any moment and let them go on: `python -m Testing.kills.run SEED FIRST COUNT`.

Half of the kills come just before a certain write, rename or removal, the others after some time. Then the
same job is started again: it must end with what a job ends with that nobody killed. Prints a JSON line for
each kill. A fork saves loading torch each time, so this runs where there is one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ContrastiveSegLib.__main__ import main as job
from ContrastiveSegLib.file_io.files import read_labels
from ContrastiveSegLib.file_io.reader import mark_as_reader_process
from ContrastiveSegLib.networks.backbone import build_network
from ContrastiveSegLib.registry import load_entry
from ContrastiveSegLib.runs.temporary_files import is_leftover
from Testing.fuzz.seeds import SMALL, write_dataset

JOBS = ("pretrain", "finetune", "predict")
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link")
TRAINING = [*SMALL[:-2], "--steps", "3", "--save-every-min", "0.01"]


def main(words: list[str]) -> None:
    """Some kills of a seed, one after the other."""
    seed, first, count = map(int, words)
    torch.set_num_threads(1)
    _load()
    mark_as_reader_process()  # what is killed here is the job itself
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        known = {each: _reference(each, folder) for each in JOBS}
        for number in range(first, first + count):
            print(json.dumps({"number": number, **_one(seed, number, known, folder)}), flush=True)


def _load() -> None:
    """Everything that a job loads while it runs, so that it is loaded once and not after each fork."""
    for name in JOBS:
        load_entry("jobs", name, what="job")
    network = build_network("unet", seed=0, base_channels=4)
    optimizer = torch.optim.AdamW(network.parameters())
    optimizer.zero_grad()
    optimizer.step()


def _words(name: str, run: Path, data: Path) -> list[str]:
    return {
        "pretrain": ["pretrain", str(run), "--images", str(data), "--patch", "16", "16", *TRAINING],
        "finetune": ["finetune", str(run), "--labeled", str(data), *TRAINING[2:]],
        "predict": ["predict", str(run), "--images", str(data), *SMALL[4:-2]],
    }[name]


def _reference(name: str, folder: Path) -> dict[str, Any]:
    """What a job ends with that nobody kills, its seconds, and how often it changes its folder."""
    if name == JOBS[0]:
        write_dataset(folder / "data", ".nii.gz")
    start, run = folder / f"before {name}", folder / "run"
    shutil.copytree(run, start) if run.exists() else start.mkdir()
    shutil.rmtree(run / "prepared", ignore_errors=True)
    begin, counted = time.monotonic(), folder / "counted"

    def counting() -> int:
        seen = [0]
        _before_each_change(run, lambda: seen.__setitem__(0, seen[0] + 1))
        code = _job(name, run, folder)
        counted.write_text(str(seen[0]))
        return code

    if _in_child(counting) != 0:
        raise RuntimeError(f"{name} does not even end when nobody kills it")
    seconds = time.monotonic() - begin
    return {"seconds": seconds, "changes": int(counted.read_text()), "results": _results(run)}


def _one(seed: int, number: int, known: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Kill one job, start it again, and compare."""
    draw = np.random.default_rng((seed, number))
    name = JOBS[number % len(JOBS)]
    run, expected = folder / "run", known[name]
    shutil.rmtree(run)
    shutil.copytree(folder / f"before {name}", run)
    at_change = int(draw.integers(1, expected["changes"] + 1)) if draw.random() < 0.5 else 0
    after_s = 0.0 if at_change else float(draw.uniform(0, expected["seconds"]))

    def killed() -> int:
        if at_change:
            left = iter(range(at_change - 1, -1, -1))
            _before_each_change(run, lambda: None if next(left) else os.kill(os.getpid(), signal.SIGKILL))
        return _job(name, run, folder)

    first = _in_child(killed, after_s)
    for path in [path for path in run.rglob("*") if is_leftover(path)]:
        os.utime(path, (0, 0))  # a start leaves alone what may still be written to
    again = _in_child(lambda: _job(name, run, folder))
    problems = [] if again == 0 else [f"started again it ends with {again}"]
    found, right = _results(run), expected["results"]
    problems += [f"{key} differs" for key in right if found.get(key) != right[key]]
    # Others may write into a folder of results, so there they stay for a quarter of an hour.
    left = [path for path in run.rglob("*") if is_leftover(path) and path.parent.name != "predictions"]
    problems += [f"{path.relative_to(run)} is left" for path in left]
    return {
        "job": name,
        "change": at_change,
        "after_s": round(after_s, 2),
        "ended": first,
        "problems": problems,
    }


def _job(name: str, run: Path, folder: Path) -> int:
    return job(_words(name, run, folder / "data"))


def _results(run: Path) -> dict[str, str]:
    """Weights and predictions of a run, as checksums.

    They are read in a child: once ITK has threads here, forked processes would wait for these for ever.
    """
    told = run.with_name("results.json")

    def look() -> int:
        weights = {path.relative_to(run).as_posix(): path for path in run.rglob("model.safetensors")}
        found = {key: path.read_bytes() for key, path in weights.items()}
        for path in (run / "predictions").glob("*.seg.nrrd"):
            found[path.name] = read_labels(path).volume.array.tobytes()
        sums = {key: hashlib.sha256(content).hexdigest() for key, content in found.items()}
        told.write_text(json.dumps(sums), encoding="utf-8")
        return 0

    told.unlink(missing_ok=True)
    if _in_child(look) != 0:
        return {}
    sums: dict[str, str] = json.loads(told.read_text(encoding="utf-8"))
    return sums


def _before_each_change(run: Path, what: Callable[[], Any]) -> None:
    """From now on, in this process, do something before each change of a folder."""

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        is_change = event in CHANGES or (event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR))
        if is_change and str(run) in str(arguments[0]):
            what()

    sys.addaudithook(look)


def _in_child(do: Callable[[], int], kill_after_s: float = 0.0) -> int:
    """The exit code of a forked process, or the negative number of the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        code = 1
        # What it says goes where the process that forked it keeps its errors, which nobody reads as JSON.
        with contextlib.suppress(BaseException), contextlib.redirect_stdout(sys.stderr):
            code = do()
        os._exit(code)
    if kill_after_s:
        time.sleep(kill_after_s)
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    main(sys.argv[1:])
