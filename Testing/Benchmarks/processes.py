"""How much faster several processes take a training step than one, whatever else the machine does meanwhile.

    torchrun --nproc-per-node 2 Testing/Benchmarks/processes.py --size 128 --batch 16 --methods simclr supercl

All ways take turns in the same processes, and the medians of ratios are printed: how many times faster the
processes are together, with one thread each, than the first one alone while the others sleep, with one
thread and with as many threads as there are processes.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from throughput import Race, races
from throughput_arguments import arguments

from ContrastiveSegLib.distributed.coordination import on_first_process
from ContrastiveSegLib.distributed.process_group import joined
from ContrastiveSegLib.distributed.processes import alone, count, is_first
from ContrastiveSegLib.preprocessing.plan import BASE_CHANNELS
from ContrastiveSegLib.session.device import choose_compute
from ContrastiveSegLib.settings.job_settings import CheckSettings
from ContrastiveSegLib.settings.job_settings import Compute as ComputeSettings


def main() -> None:
    """Let all ways take turns, and print the table."""
    asked = arguments(__doc__)
    compute = choose_compute(ComputeSettings(device=asked.device, precision=asked.precision, threads=1))
    asked.base_channels = asked.base_channels or BASE_CHANNELS[compute.machine]
    with joined("throughput", CheckSettings()), tempfile.TemporaryDirectory() as folder:
        if is_first():
            print(f"{count()} processes, {asked.size} x {asked.size}, batch {asked.batch}")
            print(f"{'':<12}{'one thread alone':>20}{f'{count()} threads alone':>20}")
        with alone():  # a look at one step, with all its images
            every = list(races(asked, compute, Path(folder)))
        for race in every:
            ratios = [_turn(race) for _ in range(asked.turns)]
            if is_first():
                medians = [statistics.median(each) for each in zip(*ratios, strict=True)]
                print(f"{race.name:<12}" + "".join(f"{median:>20.2f}" for median in medians), flush=True)


def _turn(race: Race) -> tuple[float, float]:
    """How many times faster the processes are together; of use in the first one alone."""
    seconds = [0.0, 0.0]
    for way, threads in enumerate((1, count())):
        on_first_process(
            lambda way=way, threads=threads: seconds.__setitem__(way, _alone(race.whole, threads))
        )
    together = race.whole()
    return seconds[0] / together, seconds[1] / together


def _alone(whole: Callable[[], float], threads: int) -> float:
    with alone():
        torch.set_num_threads(threads)
        seconds = whole()
        torch.set_num_threads(1)
    return seconds


if __name__ == "__main__":
    main()
