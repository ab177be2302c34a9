"""Layers that look at all images of a step, or draw a number for each, where several processes share them."""

from __future__ import annotations

import torch
from monai.networks.layers import DropPath
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ContrastiveSegLib.distributed.batch_norm import BatchNorm
from ContrastiveSegLib.distributed.gathering import of_all, own
from ContrastiveSegLib.distributed.processes import count


def synchronize(module: nn.Module, device: torch.device) -> None:
    """Let every layer of a module see, or draw for, the images of all processes."""
    if count() == 1:
        return
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm):
            setattr(module, name, _batch_norm(child, device))
        elif isinstance(child, DropPath):
            setattr(module, name, DropPathOfAll(child.drop_prob, child.scale_by_keep))
        else:
            synchronize(child, device)


def _batch_norm(norm: _BatchNorm, device: torch.device) -> nn.Module:
    """PyTorch's own on a GPU, where alone it works."""
    if device.type == "cuda":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(norm)
        return converted
    return BatchNorm.of(norm)


class DropPathOfAll(DropPath):
    """Leaves out a branch for some of the images, the same ones wherever they are computed."""

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, ...) to the same shape."""
        if self.drop_prob == 0 or not self.training:
            return images
        kept = images.new_empty(of_all(len(images)), *(1,) * (images.ndim - 1)).bernoulli_(1 - self.drop_prob)
        return images * own(kept / (1 - self.drop_prob) if self.scale_by_keep else kept)
