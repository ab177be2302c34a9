"""How much of the bare network's speed a whole training step keeps, from sampler to optimizer.

    python Testing/Benchmarks/throughput.py --size 128 --batch 16
    python Testing/Benchmarks/throughput.py --depth 32 --size 96 --batch 2    # blocks
    python Testing/Benchmarks/throughput.py --processes 2    # how much faster two processes are: processes.py

Prints images per second of the real training loop, of the bare network, and the ratio of the two. The bare
network makes the same passes through encoder and decoder as the method, on resident random images of the same
sizes, forward and (where the method does) backward. Both take turns in one process and the medians are
compared, so that other work on the machine slows both alike. A strategy that learns from scans without
annotation gets half a batch of them.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from random_cases import CLASSES, random_cases
from throughput_arguments import CLOCKS, arguments
from torch import Tensor, nn

from ContrastiveSegLib.finetuning._strategy import FinetuningStrategy, load_strategy
from ContrastiveSegLib.jobs.pretrain import build_method, trainable_parameters
from ContrastiveSegLib.networks.backbone import Backbone, build_network, pools_for
from ContrastiveSegLib.preprocessing.plan import BASE_CHANNELS
from ContrastiveSegLib.pretraining._method import PretrainingMethod, load_method, method_names
from ContrastiveSegLib.session.device import Compute, choose_compute
from ContrastiveSegLib.settings.job_settings import Compute as ComputeSettings
from ContrastiveSegLib.training.batches import Batch, Chosen, Draws, Sampler
from ContrastiveSegLib.training.loop import Training, train
from ContrastiveSegLib.training.schedule import Schedule
from ContrastiveSegLib.training.two_streams import TwoStreamSampler

WARM_UP = 2  # steps at the beginning of a turn that do not count
Learner = PretrainingMethod | FinetuningStrategy


@dataclass
class Stopwatch:
    """Stands in for the user: the loop asks it once per step whether to stop, which marks the time."""

    device: torch.device
    clock: Callable[[], float]
    last: int
    marks: list[float] = field(default_factory=list)

    def log_event(self, kind: str, **facts: Any) -> None:
        """Nobody reads events here."""

    def warn(self, sentence: str, **_: Any) -> None:
        """A benchmark that warns measures something else."""
        raise RuntimeError(sentence)

    def cancelled(self) -> bool:
        """Mark the end of a step; the GPU is waited for only where counting begins and ends."""
        if self.device.type == "cuda" and len(self.marks) in (WARM_UP - 1, self.last):
            torch.cuda.synchronize()
        self.marks.append(self.clock())
        return False

    def seconds_per_step(self) -> float:
        """Mean over the steps that count; the last one also writes the state, so it does not."""
        counted = self.marks[WARM_UP - 1 : -1]
        return (counted[-1] - counted[0]) / (len(counted) - 1)


@dataclass(frozen=True)
class Runner:
    """A method or strategy with what it learns from."""

    name: str
    learner: Learner
    parameters: list[nn.Parameter]
    sampler: Draws


@dataclass(frozen=True)
class Race:
    """Two ways to spend a step."""

    name: str
    whole: Callable[[], float]
    bare: Callable[[], float]


def main() -> None:
    """Let each whole step take turns with its bare network, and print the table."""
    asked = arguments(__doc__)
    if asked.processes:
        sys.exit(_processes(asked.processes))
    compute = choose_compute(
        ComputeSettings(device=asked.device, precision=asked.precision, threads=asked.threads)
    )
    asked.base_channels = asked.base_channels or BASE_CHANNELS[compute.machine]
    sides = " x ".join(map(str, _patch(asked)))
    print(f"{compute.describe()}; {sides}, batch {asked.batch}, base channels {asked.base_channels}")
    print(f"{'':<12}{'whole step':>16}{'bare network':>16}{'ratio':>8}{'peak memory':>14}")
    with tempfile.TemporaryDirectory() as folder:
        for race in races(asked, compute, Path(folder)):
            if compute.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(compute.device)
            race.bare()
            turns = [(race.whole(), race.bare()) for _ in range(asked.turns)]
            whole, bare = (statistics.median(times) for times in zip(*turns, strict=True))
            ratio = statistics.median(b / w for w, b in turns)
            speeds = "".join(f"{asked.batch / seconds:>12.1f} /s " for seconds in (whole, bare))
            print(f"{race.name:<12}{speeds}{ratio:>8.2f}{compute.memory_mb():>11.0f} MB", flush=True)


def _processes(count: int) -> int:
    """Let processes.py compare so many processes with one, by the same arguments."""
    script, words = str(Path(__file__).with_name("processes.py")), sys.argv[1:]
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(count)]
    return subprocess.run([*start, script, *words], check=False).returncode


def races(asked: argparse.Namespace, compute: Compute, folder: Path) -> Iterator[Race]:
    """Those that were asked for."""
    dims, every = len(_patch(asked)), asked.methods == ["all"]
    methods = [n for n in method_names() if dims in load_method(n).Method.dims] if every else asked.methods
    yield from (_race(_pretraining(name, asked), asked, compute, folder) for name in methods)
    if not asked.no_finetuning:
        yield from (_race(_finetuning(name, asked), asked, compute, folder) for name in asked.strategies)


def _pretraining(name: str, asked: argparse.Namespace) -> Runner:
    patch = _patch(asked)
    sizes = {"in_channels": asked.channels, "base_channels": asked.base_channels, "classes": 2}
    arguments = {**sizes, "spatial_dims": len(patch), "pools": pools_for(patch)}
    method = build_method(name, {}, "unet", arguments, seed=0)
    cases = random_cases(asked.size, asked.channels, asked.depth or 0)
    sampler = Sampler(cases, patch, labeled=False, seed=0, chosen=Chosen(partners=method.partners))
    return Runner(name, method, trainable_parameters(method), sampler)


def _race(runner: Runner, asked: argparse.Namespace, compute: Compute, folder: Path) -> Race:
    learner = runner.learner
    compute.place(learner)
    passes = _passes_of(learner, runner.sampler.draw(0, asked.batch).on(compute.device), compute)
    resident = [torch.rand(p.shape, generator=compute.generator(0), device=compute.device) for p in passes]

    def loss() -> Tensor:
        ends = [p.run(learner.network, images) for p, images in zip(passes, resident, strict=True)]
        return torch.stack([end.float().square().mean() for end in ends if end.requires_grad]).sum()

    bare = _bare_step(loss, learner.network, asked, compute)
    return Race(runner.name, lambda: _loop(runner, asked, compute, folder), bare)


@dataclass
class Pass:
    """One way through the network: the size of its images, how deep the decoder went, whether it learns.

    The layer that makes scores is left out: it costs next to nothing.

    Args:
        depth: Decoder blocks; 0 for the encoder alone, None for all.
    """

    shape: tuple[int, ...]
    learns: bool
    depth: int | None = 0

    def run(self, network: Backbone, images: Tensor) -> Tensor:
        """The same way on other images."""
        with torch.set_grad_enabled(self.learns):
            features = network.encode(images)
            return features[-1] if self.depth == 0 else network.decode(features, self.depth)


def _passes_of(learner: Learner, batch: Batch, compute: Compute) -> list[Pass]:
    """What one step asks of the network, and of the copies that follow it."""
    passes: list[Pass] = []
    with contextlib.ExitStack() as stack:
        for network in [part for part in learner.modules() if isinstance(part, Backbone)]:
            stack.enter_context(_listening(network, passes))
        with compute.mixed():
            learner.loss_terms(batch, compute.generator(0))
    return passes


@contextlib.contextmanager
def _listening(network: Backbone, passes: list[Pass]) -> Iterator[None]:
    encode, decode = network.encode, network.decode

    def encoded(images: Tensor) -> list[Tensor]:
        passes.append(Pass(tuple(images.shape), torch.is_grad_enabled()))
        return encode(images)

    def decoded(features: Sequence[Tensor], depth: int | None = None) -> Tensor:
        passes[-1].depth = depth
        return decode(features, depth)

    network.encode, network.decode = encoded, decoded  # type: ignore[method-assign]
    yield
    del network.encode, network.decode


def _patch(asked: argparse.Namespace) -> tuple[int, ...]:
    return (*([asked.depth] if asked.depth else []), asked.size, asked.size)


def _finetuning(name: str, asked: argparse.Namespace) -> Runner:
    patch = _patch(asked)
    network = build_network(
        "unet",
        seed=0,
        in_channels=asked.channels,
        classes=CLASSES,
        base_channels=asked.base_channels,
        spatial_dims=len(patch),
        pools=pools_for(patch),
    )
    module = load_strategy(name)
    strategy = module.Strategy(network, patch, module.Settings())
    cases = random_cases(asked.size, asked.channels, asked.depth or 0)
    sampler: Draws = Sampler(cases, patch, labeled=True, seed=0, margin=strategy.margin)
    if strategy.two_streams:
        sampler = TwoStreamSampler(sampler, sampler)
    return Runner(name, strategy, list(strategy.parameters()), sampler)


def _loop(runner: Runner, asked: argparse.Namespace, compute: Compute, folder: Path) -> float:
    """Seconds per step of the real training loop."""
    state = folder / "last"
    state.unlink(missing_ok=True)
    steps = asked.steps + WARM_UP + 1
    watch = Stopwatch(compute.device, CLOCKS[asked.clock], last=steps - 2)
    train(
        runner.learner,
        runner.parameters,
        runner.sampler,
        Training(Schedule(steps, asked.batch, 1e-4, "adamw_one_cycle", epoch=steps), compute, state, seed=0),
        watch,
    )
    return watch.seconds_per_step()


def _bare_step(
    loss: Callable[[], Tensor],
    network: Backbone,
    asked: argparse.Namespace,
    compute: Compute,
) -> Callable[[], float]:
    """Seconds of forward and backward alone, on random images that are already there."""
    compute.place(network)
    clock = CLOCKS[asked.clock]

    def step() -> None:
        network.zero_grad(set_to_none=True)
        with compute.mixed():
            value = loss()
        value.backward()

    def seconds() -> float:
        network.train()
        for _ in range(WARM_UP):
            step()
        _wait(compute)
        start = clock()
        for _ in range(asked.steps):
            step()
        _wait(compute)
        return (clock() - start) / asked.steps

    return seconds


def _wait(compute: Compute) -> None:
    if compute.device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
