"""What the processes exchange: sums, parts, gradients, rows of cases, and whether one wants to stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor, nn

from ContrastiveSegLib.distributed.coordination import MemoryEndedElsewhere, lost, memory_ended
from ContrastiveSegLib.distributed.processes import count, is_first, rank
from ContrastiveSegLib.distributed.work_division import gather_results

Rows = npt.NDArray[np.float64]


def all_reduce_sum(values: Tensor) -> Tensor:
    """The sum of these values over all processes."""
    result = values.detach().clone(memory_format=torch.contiguous_format)
    _all_answer(dist.all_reduce, result)
    return result


def all_gather(values: Tensor) -> list[Tensor]:
    """These values of each process; of all the same shape."""
    values = values.detach().contiguous()
    sent = values.view(torch.uint8) if values.dtype == torch.bool else values
    parts = [torch.empty_like(sent) for _ in range(count())]
    _all_answer(dist.all_gather, parts, sent)
    return [part.view(values.dtype) for part in parts]


def rows_on_first(own: Mapping[int, Rows]) -> dict[int, Rows]:
    """Rows (n, D) of numbered cases from all processes; the first one gets all, the others nothing.

    Raises:
        ProcessLost: One of them has ended.
    """
    shapes = gather_results({number: [rank(), *rows.shape] for number, rows in own.items()})
    every = dict(own) if is_first() else {}
    for number, (owner, *shape) in sorted(shapes.items()):
        if is_first() and owner:
            received = torch.empty(shape, dtype=torch.float64)
            _all_answer(dist.recv, received, owner)
            every[number] = received.numpy()
        elif owner == rank() and owner:
            _all_answer(dist.send, torch.from_numpy(own[number]), 0)
    return every


def any_process(statement: bool) -> bool:
    """Whether it is true in any process."""
    if count() == 1:
        return statement
    # On the CPU, so that a GPU does not have to finish its step first.
    answer = torch.tensor([int(statement)])
    _all_answer(dist.all_reduce, answer, op=dist.ReduceOp.MAX)
    return bool(answer)


@torch.no_grad()
def all_reduce_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Add up the gradients over all processes; a parameter without gradient in all of them stays so."""
    if count() == 1:
        return
    given = torch.tensor([float(p.grad is not None) for p in parameters], device=parameters[0].device)
    grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    sums = all_reduce_sum(torch.cat([given, *(grad.flatten().float() for grad in grads)]))
    there, *parts = sums.split([len(grads), *(grad.numel() for grad in grads)])
    for parameter, part, is_there in zip(parameters, parts, there.tolist(), strict=True):
        # In the memory format of the parameter: fused optimizers go through both in the order of memory.
        like_it = torch.empty_like(parameter)
        parameter.grad = like_it.copy_(part.view(parameter.shape)) if is_there else None


def _all_answer(call: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    """Wait until every process has done the same call.

    Raises:
        MemoryEndedElsewhere: One of them cannot, and has closed its connections.
        ProcessLost: One of them has ended.
    """
    try:
        call(*arguments, **named)
    except RuntimeError as error:
        if memory_ended():
            raise MemoryEndedElsewhere from error
        raise lost() from error
