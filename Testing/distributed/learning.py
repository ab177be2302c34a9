"""One step, and a training, of every method, alone or as one of several processes.

Run as a script, this file is one of these processes: `learning.py FILE STEPS`; the first writes the file.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ContrastiveSegLib.distributed.collectives import all_reduce_gradients
from ContrastiveSegLib.distributed.division import divided
from ContrastiveSegLib.distributed.layers import synchronize
from ContrastiveSegLib.distributed.process_group import joined
from ContrastiveSegLib.distributed.processes import is_first
from ContrastiveSegLib.finetuning._strategy import load_strategy
from ContrastiveSegLib.imaging.volume import Geometry
from ContrastiveSegLib.jobs.pretrain import trainable_parameters
from ContrastiveSegLib.networks.backbone import build_network
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.pretraining._method import PretrainingMethod, load_method, method_names
from ContrastiveSegLib.settings.job_settings import CheckSettings
from ContrastiveSegLib.settings.method_catalog import list_methods
from ContrastiveSegLib.training.batches import Batch, Chosen, Draws, Sampler
from ContrastiveSegLib.training.learner import Learner
from ContrastiveSegLib.training.loop import Training, train
from ContrastiveSegLib.training.two_streams import TwoStreamSampler
from Testing.training.probing import Witness, how

PATCH, BATCH = (32, 32), 5
LARGER = {"macl": (64, 64), "dual_ssl": (64, 64)}  # they need some cells of the deep features
# Heads and queues of which a test needs only a corner.
SMALL = {
    "byol": {"hidden": 16},
    "densecl": {"queue": 16},
    "desd": {"outputs": 16},
    "dira": {"queue": 16},
    "gcl": {"local": 0.5},
    "moco": {"queue": 16},
    "supercl": {"pixels": 8},
    "swav": {"prototypes": 16},
}
STRATEGIES = [entry.name for entry in list_methods() if entry.kind == "finetuning"]
# Those that change what is compared between images.
OPTIONS = {
    "dual_ssl": ({"random_convolution": True},),
    "mean_teacher": ({"mix": "cutmix", "unimatch": True}, {"mix": "bcp"}),
    "pclmix": ({"fewest_cells": 1, "contrast_from": 0.0},),
    "supervised": ({"consistency": 1.0},),
}

Seen = dict[str, Tensor]


def cases(count: int = 3) -> list[PreparedCase]:
    """Small cases with two structures, and superpixels that are stripes."""
    shape, random = (6, 40, 48), np.random.default_rng(0)
    geometry = Geometry(shape[::-1])
    labels = np.zeros(shape, np.int16)
    labels[1:4, 8:28, 8:24], labels[2:5, 20:36, 26:40] = 1, 2
    regions = np.broadcast_to(1 + np.arange(48) // 6, shape).astype(np.int32)
    return [
        PreparedCase(
            f"case{n}",
            f"case{n}",
            (0.4 * random.random((1, *shape)) + 0.2 * labels).astype(np.float16),
            labels,
            geometry,
            geometry,
            regions,
        )
        for n in range(count)
    ]


def methods() -> Iterator[tuple[str, Learner, Draws]]:
    """Every pre-training method, and what it draws."""
    for name in method_names():
        module = load_method(name)
        network = build_network("unet", seed=0, base_channels=4)
        torch.manual_seed(0)
        method = module.Method(network, module.Settings(**SMALL.get(name, {})))
        chosen = Chosen(partners=method.partners)
        yield name, method, Sampler(cases(), LARGER.get(name, PATCH), labeled=False, seed=0, chosen=chosen)


def strategies() -> Iterator[tuple[str, Learner, Draws]]:
    """Every fine-tuning strategy, and what it draws: annotated cases, and scans where it asks for them."""
    for name in STRATEGIES:
        module, patch = load_strategy(name), LARGER.get(name, PATCH)
        for options in OPTIONS.get(name, ({},)):
            network = build_network("unet", seed=0, base_channels=4, classes=3)
            torch.manual_seed(0)
            strategy = module.Strategy(network, patch, module.Settings(**options))
            strategy.first_steps = 0.0
            drawn: dict[str, Any] = {"labeled": True, "margin": strategy.margin}
            sampler: Draws = Sampler(cases(), patch, seed=0, **drawn)
            if strategy.two_streams:
                scans = cases() if strategy.rounds else [case.as_unannotated() for case in cases()]
                chosen = Chosen(unknown=not strategy.rounds)
                sampler = TwoStreamSampler(sampler, Sampler(scans, patch, seed=1, chosen=chosen, **drawn))
            yield " ".join([name, *map(str, options.values())]), strategy, sampler


@dataclass(frozen=True)
class Drawn:
    """Batches in the precision of this test."""

    sampler: Draws

    def draw(self, step: int, size: int) -> Batch:
        batch = self.sampler.draw(step, size)
        partners = None if batch.partners is None else batch.partners.float()
        return replace(batch, images=batch.images.float(), partners=partners)


def learners() -> Iterator[tuple[str, Learner, Draws, int]]:
    """All of them, with the images of a step."""
    for name, method, sampler in methods():
        yield name, method, Drawn(sampler), BATCH
    for name, strategy, sampler in strategies():
        size = 2 * (BATCH // 2 + 1) if isinstance(sampler, TwoStreamSampler) else BATCH
        yield name, strategy, Drawn(sampler), size


def one_step(learner: Learner, sampler: Draws, size: int) -> Seen:
    """The terms of the loss, and the gradient of each parameter."""
    synchronize(learner, torch.device("cpu"))
    learner.train()
    learner.progress = 0.5
    torch.manual_seed(1)
    batch = sampler.draw(0, size)
    with divided(batch.divided):
        terms = learner.loss_terms(batch, torch.Generator().manual_seed(1))
    torch.stack(list(terms.values())).sum().backward()
    named = {n: p for n, p in learner.named_parameters() if p.requires_grad}
    all_reduce_gradients(list(named.values()))
    gradients = {f"gradient {n}": p.grad for n, p in named.items() if p.grad is not None}
    watched = {f"watched {n}": value for n, value in learner.watched.items()}
    return {**{f"term {n}": term.detach() for n, term in terms.items()}, **watched, **gradients}


def after_training(learner: Learner, parameters: list[nn.Parameter], sampler: Draws, how: Training) -> Seen:
    """The weights and running statistics after a training."""
    train(learner, parameters, sampler, how, Witness())
    return {f"state {name}": tensor for name, tensor in learner.state_dict().items()}


def everything(steps: int) -> dict[str, Seen]:
    """What every method makes of a step, and of a training of some steps."""
    seen = {name: one_step(learner, sampler, size) for name, learner, sampler, size in learners()}
    for name, learner, sampler, size in learners():
        # Both recipes; fine-tuning knows AdamW alone.
        parameters, recipe = [p for p in learner.parameters() if p.requires_grad], "adamw_one_cycle"
        if isinstance(learner, PretrainingMethod):
            parameters, recipe = trainable_parameters(learner), "sgd_cosine"
        with tempfile.TemporaryDirectory() as folder:
            training = how(Path(folder) / "last", steps=steps, batch=size, epoch=steps, recipe=recipe)
            seen[name] |= after_training(learner, parameters, sampler, training)
    return seen


@contextmanager
def in_float64() -> Iterator[None]:
    """Everything is computed in float64, where rounding hides nothing: also what asks for `float()`."""
    usual = torch.Tensor.float
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)
        torch.Tensor.float = usual  # type: ignore[method-assign]


def main(file: str, steps: str) -> None:
    torch.set_num_threads(1)
    with joined("check", CheckSettings()), in_float64():
        seen = everything(int(steps))
        if is_first():
            torch.save(seen, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
