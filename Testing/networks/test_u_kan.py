"""U-KAN's curves are B-splines plus SiLU, and the network has the size of the paper's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline

from ContrastiveSegLib.networks.backbone import build_network
from ContrastiveSegLib.networks.u_kan import KANBlock, SplineLayer, spline_bases


def test_a_layer_is_a_sum_of_curves_made_by_scipy():
    torch.manual_seed(0)
    layer = SplineLayer(3, 2)
    torch.nn.init.normal_(layer.weight)
    values = torch.linspace(-3, 3, 60).view(20, 3)

    found = layer(values).detach().numpy()

    knots, x, expected = -1 + 0.4 * np.arange(-3, 9), values.double().numpy(), np.zeros((20, 2))
    bases = [BSpline.basis_element(knots[i : i + 5], extrapolate=False) for i in range(8)]
    for output in range(2):
        for n in range(3):
            curve = sum(
                coefficient.item() * np.nan_to_num(basis(x[:, n]))
                for coefficient, basis in zip(layer.coefficients[output, n], bases, strict=True)
            )
            silu = x[:, n] / (1 + np.exp(-x[:, n]))
            expected[:, output] += layer.weight[output, n].item() * curve
            expected[:, output] += layer.base.weight[output, n].item() * silu
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_splines_sum_to_one_inside_the_grid_and_vanish_far_outside():
    knots = SplineLayer(1, 1).knots
    inside, outside = torch.linspace(-1, 0.999, 50), torch.tensor([-5.0, -2.3, 2.3, 5.0])

    torch.testing.assert_close(spline_bases(inside, knots).sum(-1), torch.ones(50))
    assert not spline_bases(outside, knots).any()


def test_curves_are_computed_in_float32_when_activations_are_not():
    layer = SplineLayer(4, 4)
    values = torch.linspace(-1, 1, 16).view(4, 4)

    with torch.autocast("cpu", torch.bfloat16):
        rough = layer(values.bfloat16())

    torch.testing.assert_close(rough.float(), layer(values), atol=0.03, rtol=0.03)


def test_with_width_16_the_network_has_the_channels_and_parameters_of_the_paper():
    network = build_network("u_kan", seed=0, base_channels=16, in_channels=3, classes=1)

    assert network.widths[1:] == (16, 32, 128, 160, 256)
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(6.36e6, rel=2e-3)


def test_curves_are_only_in_the_two_deepest_stages_and_on_their_way_back(make_network):
    network = make_network("u_kan")

    def bends(part: torch.nn.Module) -> bool:
        return any(isinstance(module, KANBlock) for module in part.modules())

    assert [bends(stage) for stage in network.encoder] == [False, False, False, False, True, True]
    assert [bends(block) for block in network.decoder] == [True, True, False, False, False]


def test_the_first_level_gives_no_skip(make_network):
    network = make_network("u_kan").eval()
    features = network.encode(torch.rand(1, 1, 64, 64))

    changed = [features[0] + 1, *features[1:]]

    assert torch.equal(network.decode(changed), network.decode(features))
