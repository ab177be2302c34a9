"""Batch norm by the scans that are to be segmented, instead of by the few that are annotated.

Source: Li et al., Revisiting batch normalization for practical domain adaptation, 2016, arXiv 1603.04779.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Generator, Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ContrastiveSegLib.session.device import Compute
from ContrastiveSegLib.training.batches import Batch, Draws

STEPS = 24
BATCH = 8


def drawn_first(
    sampler: Draws,
    compute: Compute,
    augmented: Callable[[Batch, Generator], tuple[Tensor, Tensor]] | None = None,
) -> Iterator[Tensor]:
    """Images (B, C, *S) of the first batches that a sampler draws, on the device, augmented if asked."""
    for step in range(STEPS):
        batch = sampler.draw(step, BATCH).on(compute.device)
        yield augmented(batch, compute.generator(step))[0] if augmented else batch.images


@torch.no_grad()
def take_statistics(network: nn.Module, images: Iterable[Tensor]) -> bool:
    """Replace the running statistics of every batch norm by the mean over these batches.

    Returns:
        Whether there was any batch norm; without one nothing is done.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return False
    usual, was_training = [norm.momentum for norm in norms], network.training
    network.eval()  # dropout stays off
    for norm in norms:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None  # every batch counts alike
    for batch in images:
        network(batch)
    network.train(was_training)
    for norm, momentum in zip(norms, usual, strict=True):
        norm.momentum = momentum
    return True
