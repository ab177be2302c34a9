"""The projector averages over space and has the size of the papers."""

from __future__ import annotations

import pytest
import torch

from ContrastiveSegLib.networks.backbone import build_network
from ContrastiveSegLib.networks.heads import ImageProjector


@pytest.mark.parametrize("space", [(4, 6), (2, 4, 6)], ids=["2D", "3D"])
def test_the_projector_is_average_linear_relu_linear(space):
    projector = ImageProjector(8, 5, 3)
    features = torch.rand(2, 8, *space)

    projected = projector(features)

    first, _, second = projector.layers
    mean = features.mean(dim=tuple(range(2, features.ndim)))
    hidden = (mean @ first.weight.T + first.bias).clamp(min=0)
    torch.testing.assert_close(projected, hidden @ second.weight.T + second.bias)


def test_encoder_and_projector_have_as_many_parameters_as_in_the_paper():
    encoder = build_network("unet", seed=0).encoder
    projector = ImageProjector(512, 512, 512)

    assert sum(p.numel() for part in (encoder, projector) for p in part.parameters()) == 5_238_880
