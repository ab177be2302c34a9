"""Projectors compute what their captions say, and have the sizes of the papers."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ContrastiveSegLib.networks.backbone import build_network
from ContrastiveSegLib.networks.heads import ImageProjector, PixelMlp, PixelProjector, Prototypes
from ContrastiveSegLib.pretraining import macl, simclr, simsiam, supercl


def count(*modules: nn.Module) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


@pytest.fixture(scope="module")
def the_published_network():
    """The U-Net of the papers at its width of 32; nobody changes it."""
    return build_network("unet", seed=0)


@pytest.mark.parametrize("space", [(4, 6), (2, 4, 6)], ids=["2D", "3D"])
def test_the_projector_is_average_linear_relu_linear(space):
    projector = ImageProjector(8, 5, 3)
    features = torch.rand(2, 8, *space)

    projected = projector(features)

    first, _, second = projector.layers
    mean = features.mean(dim=tuple(range(2, features.ndim)))
    hidden = (mean @ first.weight.T + first.bias).clamp(min=0)
    torch.testing.assert_close(projected, hidden @ second.weight.T + second.bias)


@pytest.mark.parametrize("space", [(4, 6), (2, 4, 6)], ids=["2D", "3D"])
def test_the_linear_layers_of_pixels_are_the_same_at_each_of_them(space):
    projector = PixelMlp(8, 5, 3)
    features = torch.rand(2, 8, *space)

    projected = projector(features)

    first, _, second = projector.mlp.layers
    assert projected.shape == (2, 3, *space)
    for image, found in zip(features.flatten(2), projected.flatten(2), strict=True):
        for pixel, row in zip(image.T, found.T, strict=True):
            hidden = (first.weight @ pixel + first.bias).clamp(min=0)
            torch.testing.assert_close(row, second.weight @ hidden + second.bias)


@pytest.mark.parametrize("space", [(4, 6), (2, 4, 6)], ids=["2D", "3D"])
def test_the_pixel_projector_is_twice_convolution_norm_and_leaky_relu(space):
    projector = PixelProjector(4, 3, len(space))
    features = torch.randn(2, 4, *space)

    projected = projector(features)

    convolve = {2: F.conv2d, 3: F.conv3d}[len(space)]
    expected = features
    for layer in (projector.layers[0], projector.layers[3]):
        expected = convolve(expected, layer.weight, layer.bias, padding=1)
        axes = (0, *range(2, expected.ndim))
        mean, variance = expected.mean(axes, keepdim=True), expected.var(axes, correction=0, keepdim=True)
        expected = (expected - mean) / (variance + 1e-5).sqrt()
        expected = torch.where(expected > 0, expected, 0.01 * expected)
    assert len(projector.layers) == 6
    torch.testing.assert_close(projected, expected, rtol=1e-4, atol=1e-5)


def test_prototypes_give_the_cosine_with_each_direction():
    prototypes = Prototypes(4, 6)
    with torch.no_grad():
        prototypes.directions.mul_(torch.arange(1.0, 7.0)[:, None])  # as a training step may leave them
    rows = torch.randn(3, 4) * 5

    scores = prototypes(rows)

    for row, found in zip(rows, scores, strict=True):
        cosines = [(row @ way / row.norm() / way.norm()).item() for way in prototypes.directions]
        assert found.tolist() == pytest.approx(cosines, abs=1e-5)


def test_frozen_prototypes_score_alike_but_take_no_gradient():
    prototypes, rows = Prototypes(4, 6), torch.randn(3, 4, requires_grad=True)

    frozen = prototypes(rows, frozen=True)
    frozen.square().sum().backward()

    assert prototypes.directions.grad is None
    assert rows.grad.any()
    learning = prototypes(rows)
    assert torch.equal(learning, frozen)
    learning.square().sum().backward()
    assert prototypes.directions.grad.any()


def test_projectors_stay_in_float32_whatever_surrounds_them():
    features = torch.rand(2, 4, 3, 3)
    rows = features.flatten(2).mean(-1)
    heads = {ImageProjector(4, 4, 4): features, PixelMlp(4, 4, 4): features, Prototypes(4, 4): rows}

    for head, given in heads.items():
        with torch.autocast("cpu", torch.bfloat16):
            mixed = head(given)

        assert mixed.dtype == torch.float32
        assert torch.equal(mixed, head(given))


@pytest.mark.parametrize("method", [simclr, supercl], ids=["SimCLR", "SuperCL"])
def test_encoder_and_projector_have_as_many_parameters_as_in_the_paper(the_published_network, method):
    learner = method.Method(the_published_network, method.Settings())

    assert count(learner.network.encoder, learner.projector) == 5_238_880


def test_simsiam_has_as_many_parameters_as_in_the_paper(the_published_network):
    method = simsiam.Method(the_published_network, simsiam.Settings())

    assert count(method.network.encoder, method.projector, method.predictor) == 5_370_592


def test_the_partial_decoder_has_as_many_parameters_as_in_the_paper(the_published_network):
    assert count(*the_published_network.decoder[:2]) == 2_869_888


def test_macl_has_as_many_parameters_as_in_the_paper(the_published_network):
    """Two decoder blocks learn; the released module builds, and counts, all four."""
    method = macl.Method(the_published_network, macl.Settings(decoder_blocks=2))

    heads = (method.auxiliary_projector, method.dominant_projector, method.pixel_projector)
    encoder, decoder = method.network.encoder, method.network.decoder
    assert count(encoder, *decoder[:2], *heads) == 8_436_704
    assert count(encoder, *decoder, *heads) == 8_616_576
