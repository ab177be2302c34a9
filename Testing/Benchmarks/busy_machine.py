"""What another busy program costs a training on all cores, with threads that spin and threads that sleep.

    python Testing/Benchmarks/busy_machine.py

Each training is a process of its own: steps of supervised fine-tuning as the product takes them, on random
cases. Spinning is what PyTorch does unless told otherwise, asleep is what this package chooses, and with a
core free is how jobs of the panel run. They take turns, alone and beside a loop that keeps every core busy.
The median step of each turn counts, and of the turns the fastest, so that other work disturbs little.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ContrastiveSegLib.preprocessing.plan import BASE_CHANNELS
from ContrastiveSegLib.threads import DECIDED_BY, leave_a_core

TRAINING = "--training"
# What libgomp, libiomp5 and libomp do when nothing is set.
SPINNING = {"GOMP_SPINCOUNT": "300000", "KMP_BLOCKTIME": "200"}
CORES = os.cpu_count() or 1


def main() -> None:
    """Let the trainings take turns, and print the table."""
    asked = _arguments()
    if asked.training:
        _train_when_told(asked.steps)
        return
    free_core: dict[str, str] = {}
    leave_a_core(free_core)
    ways = {"spinning": SPINNING, "asleep": {}, "asleep, a core free": free_core}
    print(f"{CORES} cores, load {os.getloadavg()[0]:.1f} at the start")
    trainings = {name: _start(variables, asked.steps) for name, variables in ways.items()}
    for training in trainings.values():
        _one_turn(training)  # the first turn also prepares kernels and memory
    seconds: dict[tuple[str, int], list[float]] = {}
    for _ in range(asked.turns):
        for loops in asked.loops:
            with _busy_loops(loops):
                for name, training in trainings.items():
                    seconds.setdefault((name, loops), []).append(_one_turn(training))
    for training in trainings.values():
        training.communicate()
    _print({key: min(turns) for key, turns in seconds.items()}, list(ways), asked.loops)


def _print(seconds: dict[tuple[str, int], float], names: list[str], loops: list[int]) -> None:
    print(f"{'seconds per step':<22}" + "".join(f"{f'{n} busy loops':>16}" for n in loops))
    for name in names:
        shown = [f"{seconds[name, n]:.3f} ({seconds[name, n] / seconds['spinning', n]:.2f})" for n in loops]
        print(f"{name:<22}" + "".join(f"{cell:>16}" for cell in shown))
    print("In brackets: parts of what spinning takes in the same column.")


def _start(variables: dict[str, str], steps: int) -> subprocess.Popen[str]:
    kept = {k: v for k, v in os.environ.items() if k not in (*DECIDED_BY, "OMP_NUM_THREADS")}
    return subprocess.Popen(
        [sys.executable, __file__, TRAINING, "--steps", str(steps)],
        env={**kept, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _one_turn(training: subprocess.Popen[str]) -> float:
    assert training.stdin is not None
    assert training.stdout is not None
    training.stdin.write("go\n")
    training.stdin.flush()
    return float(training.stdout.readline())


def _train_when_told(steps: int) -> None:
    """For each line on stdin, train a few steps and print the median time of one."""
    from random_cases import CLASSES, random_cases

    from ContrastiveSegLib.finetuning.supervised import Settings, Strategy
    from ContrastiveSegLib.networks.backbone import build_network
    from ContrastiveSegLib.session.device import choose_compute
    from ContrastiveSegLib.settings.job_settings import Compute
    from ContrastiveSegLib.training.batches import Sampler
    from ContrastiveSegLib.training.loop import Training, train
    from ContrastiveSegLib.training.schedule import Schedule

    compute, patch = choose_compute(Compute(device="cpu", precision="float32")), (96, 96)
    network = build_network("unet", seed=0, base_channels=BASE_CHANNELS[compute.machine], classes=CLASSES)
    strategy = Strategy(network, patch, Settings())
    sampler = Sampler(random_cases(patch[0], 1), patch, labeled=True, seed=0, margin=strategy.margin)
    schedule = Schedule(steps, 8, 1e-4, "adamw_one_cycle", epoch=steps)
    for _ in sys.stdin:
        watch = _Watch()
        with tempfile.TemporaryDirectory() as folder:
            how = Training(schedule, compute, Path(folder) / "last", seed=0)
            train(strategy, list(strategy.parameters()), sampler, how, watch)
        # Neither the first step, which is drawn ahead of time, nor the last, which is saved.
        each = [end - begin for begin, end in zip(watch.marks[:-2], watch.marks[1:-1], strict=True)]
        print(statistics.median(each), flush=True)


class _Watch:
    """The loop asks it once per step whether to stop, which marks the time."""

    def __init__(self) -> None:
        self.marks: list[float] = []

    def log_event(self, kind: str, **facts: object) -> None:
        """Nobody reads events here."""

    def warn(self, sentence: str, **_: object) -> None:
        raise RuntimeError(sentence)

    def cancelled(self) -> bool:
        self.marks.append(time.perf_counter())
        return False


@contextmanager
def _busy_loops(count: int) -> Iterator[None]:
    loops = [multiprocessing.Process(target=_loop, daemon=True) for _ in range(count)]
    for loop in loops:
        loop.start()
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.join()


def _loop() -> None:
    while True:
        pass


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=7, help="per turn (default %(default)s)")
    parser.add_argument("--turns", type=int, default=3, help="of each (default %(default)s)")
    parser.add_argument(
        "--loops", type=int, nargs="+", default=[0, CORES], help="busy loops beside it (default %(default)s)"
    )
    parser.add_argument(TRAINING, action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
