"""Show device, versions and memory, and take one real training step."""

from __future__ import annotations

import time

import torch

from ContrastiveSegLib.finetuning.supervised import Settings, Strategy
from ContrastiveSegLib.networks.backbone import build_network
from ContrastiveSegLib.preprocessing.plan import BASE_CHANNELS
from ContrastiveSegLib.runs.atomic_write import write_json
from ContrastiveSegLib.runs.temporary_files import make_output_folder
from ContrastiveSegLib.session.device import Compute, choose_compute
from ContrastiveSegLib.session.environment import describe_environment
from ContrastiveSegLib.settings.job_settings import CheckSettings
from ContrastiveSegLib.terminal import print_line
from ContrastiveSegLib.training.batches import Batch

BATCH, PATCH = 8, (128, 128)


def run(settings: CheckSettings) -> None:
    """Print the facts, then the time of one real training step: forward, backward and update.

    Raises:
        BadSetting: The device asked for is not there.
        CannotWrite: The file cannot be written.
    """
    compute = choose_compute(settings.compute)
    facts = describe_environment(compute)
    for name, value in facts.items():
        print_line(f"{name:18} {'' if value is None else value}")
    seconds, loss = training_step(compute)
    if settings.output is not None:
        make_output_folder(settings.output.parent)
        write_json(settings.output, {**facts, "seconds_per_step": seconds, "slices_per_s": BATCH / seconds})
    print_line(
        f"One training step of {BATCH} slices of {PATCH[0]} x {PATCH[1]}: {seconds:.3f} s "
        f"({BATCH / seconds:.0f} slices/s), loss {loss:.3f}. This machine is ready."
    )


def training_step(compute: Compute) -> tuple[float, float]:
    """Seconds and loss of the second of two steps; the first one also prepares kernels and memory."""
    network = build_network("unet", seed=0, base_channels=BASE_CHANNELS[compute.machine], classes=3)
    strategy = Strategy(network, PATCH, Settings())
    compute.place(strategy)
    optimizer = torch.optim.AdamW(strategy.parameters())
    random = torch.Generator().manual_seed(0)
    images = torch.rand(BATCH, 1, *PATCH, generator=random)
    batch = Batch(images, torch.rand(BATCH), torch.zeros(BATCH), (images[:, 0] * 3).long()).on(compute.device)
    for _ in range(2):
        begin = time.perf_counter()
        with compute.mixed():
            loss = torch.stack(list(strategy.loss_terms(batch, compute.generator(0)).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        value = float(loss.detach())  # waits for the device
    return time.perf_counter() - begin, value
