"""Weak labels from a graph of nearest neighbors: images that are linked become positives.

Source: Zheng et al., Weakly supervised contrastive learning, ICCV 2021, arXiv 2110.04770; in SuperCL the
component of docs/methods/supercl.md (CCL).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ContrastiveSegLib.distributed.gathering import gathered


@torch.no_grad()
def nearest_neighbors(features: Tensor) -> Tensor:
    """The most similar other row of each row, by cosine: (N, D) to (N,), of the images of all processes."""
    with torch.autocast(features.device.type, enabled=False):
        unit = F.normalize(gathered(features).float(), dim=-1)
        similarity = unit @ unit.T
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    return similarity.masked_fill(itself, -torch.inf).argmax(1)


@torch.no_grad()
def connected(neighbors: Tensor) -> Tensor:
    """Who is linked to whom, over any number of steps, in the graph with edges {a, neighbors[a]}: (N, N).

    Squaring the matrix of steps doubles the length of the paths it knows, so a few products of matrices on
    the device replace a walk through the graph on the CPU.
    """
    count = len(neighbors)
    steps = torch.eye(count, device=neighbors.device)
    steps[torch.arange(count, device=neighbors.device), neighbors] = 1
    steps = torch.maximum(steps, steps.T)
    length = 1
    while length < count:
        steps = (steps @ steps > 0).float()
        length *= 2
    return steps.bool()


def components(linked: Tensor) -> Tensor:
    """The number of connected components of what `connected` returned, as a scalar on the device."""
    return (1 / linked.float().sum(1)).sum()
