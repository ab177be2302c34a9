"""Damage files and let the jobs meet them: `python -m Testing.fuzz.run SEED FIRST COUNT`.

Prints a JSON line before each input and one after it: after a crash the second one is missing.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil

from ContrastiveSegLib.__main__ import main as job
from Testing.fuzz.kinds import KINDS, SEEDS, damage, lay_out, listing, words_of
from Testing.fuzz.readers import READERS, outcome
from Testing.fuzz.seeds import SOUND, write_dataset, write_run, write_tables

LONGEST_S = 10.0
MOST_BYTES = 1 << 30
SHOWN = ("Traceback (most recent call last)", "Something unexpected happened", "Warning: ")
# What a job may end with: done, an error in words, done but most cases lost.
ENDS = (0, 1, 3)


def main(words: list[str]) -> None:
    """Run some inputs of a seed, one after the other."""
    seed, first, count = map(int, words)
    said, sys.stdout = sys.stdout, sys.stderr
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        with contextlib.redirect_stderr(nowhere), contextlib.redirect_stdout(nowhere):
            seeds = write_seeds(Path(folder) / "seeds")
        for number in range(first, first + count):
            said.write(json.dumps({"begins": number}) + "\n")
            said.flush()
            found = run_one(seed, number, seeds, Path(folder) / str(number))
            said.write(json.dumps({"number": number, **found}) + "\n")
            said.flush()


def write_seeds(folder: Path) -> Path:
    """Everything that inputs are made of."""
    for name, (suffix, labels_suffix) in SEEDS.items():
        write_dataset(folder / name, suffix, labels_suffix)
    write_run(folder)
    write_tables(folder / "tables", folder / "run")
    return folder


def run_one(seed: int, number: int, seeds: Path, folder: Path) -> dict[str, object]:
    """Damage one file, let one job meet it, and say what went wrong."""
    draw = np.random.default_rng((seed, number))
    kind = KINDS[number % len(KINDS)]
    order = kind.orders[int(draw.integers(len(kind.orders)))]
    lay_out(kind, seeds, folder)
    done = damage(kind, folder / kind.folder, draw)
    before, begin, output = listing(folder), _seconds(), io.StringIO()
    with _peak() as peak, contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            code = outcome(order, folder) if order in READERS else job(words_of(order, folder))
        except BaseException:
            code = -1
            traceback.print_exc(file=output)
    text = output.getvalue()
    problems = [f"shows {words!r}" for words in SHOWN if words in text]
    problems += [f"ends with {code}"] if code not in ENDS else []
    problems += ["takes too long"] if _seconds() - begin > LONGEST_S else []
    problems += [f"takes {peak[0] >> 20} MB"] if peak[0] > MOST_BYTES else []
    problems += ["changes files outside the run folder"] if listing(folder) != before else []
    if kind.is_case and not _sound_case_is_there(order, folder, text):
        problems += ["loses the sound case"]
    return {
        "kind": kind.name,
        "order": order,
        "done": done,
        "problems": problems,
        "text": text[-1500:] if problems else "",
    }


def _sound_case_is_there(order: str, folder: Path, text: str) -> bool:
    """One damaged file costs one case: its neighbor is shown, or predicted."""
    if order == "scan":
        return any(line.startswith(f"{SOUND} ") for line in text.splitlines())
    return order != "predict" or (folder / "run" / "predictions" / f"{SOUND}.seg.nrrd").is_file()


def _seconds() -> float:
    """Processor time of this process and of those it started: a busy machine is no hang."""
    own = psutil.Process()
    total = time.process_time()
    for child in own.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            times = child.cpu_times()
            total += times.user + times.system
    return total


@contextlib.contextmanager
def _peak() -> Iterator[list[int]]:
    """By how much the memory of this process and of those it started grew at most."""
    own, grown, done = psutil.Process(), [0], threading.Event()

    def memory() -> int:
        total = own.memory_info().rss
        for child in own.children():
            with contextlib.suppress(psutil.Error):
                total += child.memory_info().rss
        return int(total)

    start = memory()

    def watch() -> None:
        while not done.wait(0.02):
            grown[0] = max(grown[0], memory() - start)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield grown
    finally:
        done.set()
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1:])
