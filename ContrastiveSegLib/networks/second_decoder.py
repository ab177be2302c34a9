"""A second convolutional decoder for any network: its own decoder and head again, with fresh weights."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ContrastiveSegLib.networks.backbone import Backbone


class ConvolutionalDecoder(nn.Module):
    """Turns what `encode` returned into scores, beside the network's own decoder.

    Layers that cannot draw new weights keep a copy of the network's; in the networks here there are none but
    a few position embeddings and curves.
    """

    def __init__(self, network: Backbone) -> None:
        super().__init__()
        self.blocks, self.head = copy.deepcopy(network.decoder), copy.deepcopy(network.head)
        self.apply(_draw_new_weights)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """[(B, D, *S / 2^level)], shallow to deep, to class scores (B, classes, *S)."""
        deep = features[-1]
        for block, skip in zip(self.blocks, features[-2::-1], strict=False):
            deep = block(deep, skip)
        scores: Tensor = self.head(deep)
        return scores


def count_classes(network: Backbone, patch: Sequence[int]) -> int:
    """How many classes a network tells apart, background included; nothing of it changes."""
    was_training = network.training
    with torch.no_grad():
        scores = network.eval()(torch.zeros(1, network.in_channels, *patch))
    network.train(was_training)
    return int(scores.shape[1])


def _draw_new_weights(module: Any) -> None:
    if hasattr(module, "reset_parameters"):
        module.reset_parameters()
