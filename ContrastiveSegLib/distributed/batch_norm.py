"""Batch norm whose statistics are those of the images of all processes.

PyTorch's SyncBatchNorm does it on GPUs alone; this is the same for CPUs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from ContrastiveSegLib.distributed.collectives import all_gather, all_reduce_sum
from ContrastiveSegLib.distributed.processes import count


class BatchNorm(_BatchNorm):
    """A batch norm on CPUs, of any number of spatial axes."""

    @classmethod
    def of(cls, norm: _BatchNorm) -> BatchNorm:
        """The same norm, with the same parameters and running statistics."""
        made = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        made._parameters, made._buffers = norm._parameters, norm._buffers  # shared, as they are
        made.training = norm.training
        return made

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, *S) to the same shape."""
        if not self.training or count() == 1:
            return super().forward(images)
        mean, variance, size = _statistics(images.detach())
        self._remember(mean, variance * (size / max(size - 1, 1)))
        return _Normalized.apply(images, self.weight, self.bias, (mean, variance), (size, self.eps))

    def _check_input_dim(self, input: Tensor) -> None:  # torch's own name
        del input

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean), share)
        self.running_var.lerp_(variance.to(self.running_var), share)


def _statistics(images: Tensor) -> tuple[Tensor, Tensor, int]:
    """Mean and variance of each channel (C,) over all processes, and of how many values."""
    axes = (0, *range(2, images.ndim))
    variance, mean = torch.var_mean(images.float(), axes, correction=0)
    size = torch.full_like(mean, images.numel() // images.shape[1])
    sizes, means, variances = torch.stack(all_gather(torch.stack([size, mean, variance]).double()), 1)
    every = sizes[:, 0].sum()
    shares = sizes / every
    together = (shares * means).sum(0)
    spread = (shares * (variances + (means - together).square())).sum(0)
    return together.float(), spread.float(), int(every)


class _Normalized(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Any, bias: Any, statistics: Any, how: Any) -> Tensor:
        (mean, variance), (ctx.size, eps) = statistics, how
        ctx.save_for_backward(images, weight, mean, (variance + eps).rsqrt())
        return F.batch_norm(images, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        images, weight, mean, scale = ctx.saved_tensors
        shape = (1, -1, *(1,) * (images.ndim - 2))
        axes = (0, *range(2, images.ndim))
        slope = gradients[0].float()
        unit = (images.float() - mean.view(shape)) * scale.view(shape)
        by_bias, by_weight = slope.sum(axes), (slope * unit).sum(axes)
        first, second = all_reduce_sum(torch.stack([by_bias, by_weight])) / ctx.size
        factor = scale if weight is None else scale * weight
        inner = slope - first.view(shape) - unit * second.view(shape)
        of_images = (inner * factor.view(shape)).to(images.dtype)
        if weight is None:
            return of_images, None, None, None, None
        return of_images, by_weight, by_bias, None, None
