"""Rows of all processes, and sums over them, as if one process had computed them.

A loss is computed from the rows of all processes, and so is the same in each. Its gradient with respect to
the rows of one process is complete there, so that nothing is sent backwards: the gradients of the weights
only have to be added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ContrastiveSegLib.distributed.collectives import all_gather, all_reduce_sum
from ContrastiveSegLib.distributed.division import current


def of_all(rows: int) -> int:
    """How many rows all processes have together, where this one has so many."""
    division = current()
    return rows if division is None else rows // division.sizes[division.rank] * division.images


def own(rows: Tensor) -> Tensor:
    """The rows of this process among those of all: (k * images, ...) to (k * own images, ...).

    So what is drawn at random for all processes does not depend on their number.
    """
    division = current()
    if division is None:
        return rows
    return rows.unflatten(0, (-1, division.images))[:, division.own].flatten(0, 1)


def gathered(rows: Tensor, dim: int = 0) -> Tensor:
    """The rows of all processes, in the order of a single one: (k * own images, ...) to (k * images, ...).

    Args:
        dim: The axis of the rows.
    """
    division = current()
    if division is None:
        return rows
    groups = rows.movedim(dim, 0).unflatten(0, (-1, division.sizes[division.rank]))
    return _Gathered.apply(groups, division.sizes, division.rank).flatten(0, 1).movedim(0, dim)


def gathered_lists(rows: Tensor) -> Tensor:
    """The rows of all processes one after the other, where each has its own number of them: (N, ...)."""
    division = current()
    if division is None:
        return rows
    sizes = all_gather(torch.tensor([len(rows)], device=rows.device))
    return _Gathered.apply(rows[None], [int(size) for size in sizes], division.rank)[0]


def picked(rows: Tensor, order: Tensor) -> Tensor:
    """Rows of all processes by their number among all, such as images of other patients; without gradient."""
    return gathered(rows.detach())[order]


def first_own() -> int:
    """The number of the first image of this process among those of all."""
    division = current()
    return 0 if division is None else int(division.own.start)


def total(values: Tensor) -> Tensor:
    """The sum over all processes, with gradient."""
    return values if current() is None else _Total.apply(values)


def mean(values: Tensor) -> Tensor:
    """The mean of values (k * own images, ...) over all processes, with gradient."""
    division = current()
    if division is None:
        return values.mean()
    return total(values.sum()) / (values.numel() // division.sizes[division.rank] * division.images)


class _Gathered(torch.autograd.Function):
    """(k, own rows, ...) to (k, all rows, ...)."""

    @staticmethod
    def forward(ctx: Any, groups: Tensor, sizes: Sequence[int], rank: int) -> Tensor:
        begin = sum(sizes[:rank])
        ctx.own = slice(begin, begin + sizes[rank])
        sent = groups.new_zeros(len(groups), max(sizes), *groups.shape[2:])
        sent[:, : sizes[rank]] = groups
        parts = all_gather(sent)
        return torch.cat([part[:, :size] for part, size in zip(parts, sizes, strict=True)], dim=1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return gradients[0][:, ctx.own], None, None


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        del ctx
        return all_reduce_sum(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        del ctx
        return gradients[0]
