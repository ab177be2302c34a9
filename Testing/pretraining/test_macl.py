"""MACL's terms equal values computed without its code, and the chosen decoder blocks are trained."""

from __future__ import annotations

import pytest
import torch
from torch import Generator

from ContrastiveSegLib.networks.backbone import pools_for
from ContrastiveSegLib.pretraining import macl
from ContrastiveSegLib.training.batches import Batch

COUNT = 3
SLICE_POSITIONS = [0.30, 0.35, 0.90]


@pytest.fixture
def three_slices():
    """Three slices of 128 pixels: their deepest features have 8 x 8 places, shrunken by four 2 x 2."""
    images = torch.rand(COUNT, 1, 128, 128, generator=Generator().manual_seed(0))
    return Batch(images, torch.tensor(SLICE_POSITIONS), torch.arange(COUNT))


@pytest.fixture
def make_method(make_network, with_simple_views, monkeypatch):
    """A maker of methods in eval mode; recolored second views differ from the first ones."""
    with_simple_views(macl)
    monkeypatch.setattr(
        macl, "intensity_augmentation", lambda images, _: torch.cat([images[:COUNT], images[COUNT:].square()])
    )

    def make(**settings):
        torch.manual_seed(0)
        return macl.Method(make_network(), macl.Settings(**settings)).eval()

    return make


def shrunken(image, side):
    """Bilinear, with corner pixels that stay where they are."""
    places = torch.arange(side) * (image.shape[-1] - 1) / max(side - 1, 1)
    low = places.floor().long().clamp(max=image.shape[-1] - 2)
    part = places - low
    rows = image[..., low, :] * (1 - part)[:, None] + image[..., low + 1, :] * part[:, None]
    return rows[..., low] * (1 - part) + rows[..., low + 1] * part


def branches(method, still, turned):
    """What each branch sees of one slice (1, H, W): first views are dominant, second ones auxiliary."""
    network, blocks = method.network, method.blocks
    side = still[0].shape[-1] // 2**blocks
    dominant = [network.encode(shrunken(view[None], side)) for view in (still[0], turned[0])]
    places, turned_places = (network.decode(features, blocks) for features in dominant)
    deepest, turned_deepest = (network.encode(view[None])[-1] for view in (still[1], turned[1]))
    return {
        "global": (
            method.auxiliary_projector(turned_deepest)[0],
            method.dominant_projector(turned_places)[0],
        ),
        "dense": (method.pixel_projector(deepest)[0], places[0]),
        "equivariance": (dominant[0][-1][0], deepest[0]),
    }


def views_of(image, jitter):
    recolored = image, image.square()
    return (recolored if jitter else (image, image)), [view.flip(-1, -2) for view in recolored]


@pytest.mark.parametrize("jitter", [False, True], ids=["identity", "jitter"])
@pytest.mark.parametrize("blocks", [0, 1, 2, 3])
def test_the_terms_equal_slow_loops(make_method, three_slices, slow_contrast, blocks, jitter):
    weights = {"dense": 0.3, "equivariance": 0.7}
    augmentation = "jitter" if jitter else "identity"
    method = make_method(temperature=0.2, decoder_blocks=blocks, invariance_aug=augmentation, **weights)

    with torch.no_grad():
        terms = method.loss_terms(three_slices, Generator())
        seen = [branches(method, *views_of(image, jitter)) for image in three_slices.images]

    def contrast(rows):
        near = [[abs(a - b) < 0.1 for a in SLICE_POSITIONS] for b in SLICE_POSITIONS]
        return slow_contrast(rows, lambda a, b: near[a % COUNT][b % COUNT], temperature=0.2)

    both = {name: [one[name][branch] for branch in (0, 1) for one in seen] for name in seen[0]}
    assert both["dense"][0].shape == both["dense"][-1].shape == (4 * 2 ** (4 - blocks), 8, 8)
    places = [(row, column) for row in range(8) for column in range(8)]
    dense = [contrast([features[:, r, c] for features in both["dense"]]) for r, c in places]
    small = 8 // 2**blocks
    differences = [
        (dominant - shrunken(deepest, small)).abs().mean()
        for dominant, deepest in (one["equivariance"] for one in seen)
    ]
    assert list(terms) == ["global", "dense", "equivariance"]
    assert both["equivariance"][0].shape == (64, small, small)
    assert terms["global"].item() == pytest.approx(contrast(both["global"]), rel=1e-3)
    assert terms["dense"].item() == pytest.approx(0.3 * sum(dense) / 64, rel=1e-3)
    assert terms["equivariance"].item() == pytest.approx(
        0.7 * sum(differences).item() / COUNT, rel=1e-3, abs=1e-7
    )


def test_equivariance_of_features_that_scale_with_the_slice_costs_nothing(make_method, monkeypatch):
    """Features that are the slice itself, coarser, shrink as the slice does; a constant more costs itself."""
    method = make_method(equivariance=1.0)
    ramp = torch.linspace(0, 1, 128).expand(COUNT, 1, 128, 128)
    encode = method.network.encode
    extra = torch.zeros(())

    def ramps(images):
        features = encode(images)
        side = features[-1].shape[-1]
        deepest = torch.linspace(0, 1, side).expand_as(features[-1])
        return [*features[:-1], deepest + extra * (images.shape[-1] < 128)]

    monkeypatch.setattr(method.network, "encode", ramps)
    batch = Batch(ramp, torch.tensor(SLICE_POSITIONS), torch.arange(COUNT))

    exact = method.loss_terms(batch, Generator())["equivariance"].item()
    extra += 0.25

    assert exact == pytest.approx(0, abs=1e-6)
    assert method.loss_terms(batch, Generator())["equivariance"].item() == pytest.approx(0.25, abs=1e-6)


def test_both_sides_of_the_equivariance_learn(make_method, three_slices):
    method = make_method()
    deepest, encode = [], method.network.encode

    def remember(images):
        features = encode(images)
        features[-1].retain_grad()
        deepest.append(features[-1])
        return features

    method.network.encode = remember
    method.loss_terms(three_slices, Generator())["equivariance"].backward()

    assert len(deepest) == 2
    assert all(features.grad[:COUNT].any() for features in deepest)
    assert not any(features.grad[COUNT:].any() for features in deepest)


@pytest.mark.parametrize("blocks", [0, 1, 2, 3, 4])
def test_the_chosen_decoder_blocks_are_trained_and_travel(make_network, blocks):
    method = macl.Method(make_network(), macl.Settings(decoder_blocks=blocks))
    side = 16 * 2**blocks
    images = torch.rand(2, 1, side, side)
    batch = Batch(images, torch.tensor([0.1, 0.9]), torch.arange(2))

    torch.stack(list(method.loss_terms(batch, Generator().manual_seed(0)).values())).sum().backward()

    network = method.network
    learned = [any(p.grad is not None for p in block.parameters()) for block in network.decoder]
    assert learned == [n < blocks for n in range(4)]
    assert all(p.grad is not None for p in network.encoder.parameters())
    assert all(p.grad is None for p in network.head.parameters())
    assert method.trains == ("encoder", *(f"decoder.{n}" for n in range(blocks)))


def test_more_blocks_than_there_are_mean_all(make_network):
    method = macl.Method(make_network(), macl.Settings(decoder_blocks=5))

    assert method.blocks == 4
    assert method.trains[-1] == "decoder.3"


@pytest.mark.parametrize(("side", "deepest", "dominant"), [(512, 32, 8), (192, 12, 3)])
def test_the_branches_have_the_shapes_of_the_formula(make_network, monkeypatch, side, deepest, dominant):
    """Width 4 in place of 32: 512 channels become 64, and 128 become 16."""
    method = macl.Method(make_network(), macl.Settings()).eval()
    shapes = {}
    encode, decode = method.network.encode, method.network.decode
    project = method.pixel_projector.forward

    def note(name, tensor):
        shapes.setdefault(name, []).append(tuple(tensor.shape))
        return tensor

    def encode_noted(images):
        features = encode(images)
        note("deepest", features[-1])
        return features

    monkeypatch.setattr(method.network, "encode", encode_noted)
    monkeypatch.setattr(method.network, "decode", lambda *given: note("decoded", decode(*given)))
    monkeypatch.setattr(method.pixel_projector, "forward", lambda given: note("pixels", project(given)))
    with torch.no_grad():
        batch = Batch(torch.rand(1, 1, side, side), torch.tensor([0.5]), torch.zeros(1))
        method.loss_terms(batch, Generator().manual_seed(0))

    assert shapes == {
        "deepest": [(2, 64, deepest, deepest), (2, 64, dominant, dominant)],
        "decoded": [(2, 16, deepest, deepest)],
        "pixels": [(1, 16, deepest, deepest)],
    }


def test_the_projectors_have_the_widths_of_the_formula(make_network):
    method = macl.Method(make_network(base_channels=32), macl.Settings())

    def sizes(projector):
        first, _, second = projector.layers
        return first.in_features, second.in_features, second.out_features

    assert sizes(method.auxiliary_projector) == (512, 128, 128)
    assert sizes(method.dominant_projector) == (128, 128, 128)
    assert method.pixel_projector.layers[0].weight.shape == (128, 512, 3, 3)


def test_blocks_shrink_by_what_their_network_pools(make_network):
    """Few slices are not halved at every level, so they are not shrunken there."""
    patch = (8, 64, 64)
    network = make_network(spatial_dims=3, pools=pools_for(patch))
    method = macl.Method(network, macl.Settings()).eval()
    sizes, encode = [], network.encode
    network.encode = lambda images: sizes.append(tuple(images.shape[2:])) or encode(images)

    with torch.no_grad():
        batch = Batch(torch.rand(1, 1, *patch), torch.tensor([0.5]), torch.zeros(1))
        terms = method.loss_terms(batch, Generator().manual_seed(0))

    assert sizes == [(8, 64, 64), (8, 16, 16)]
    assert all(term.isfinite() for term in terms.values())


def test_the_share_of_the_equivariance_is_watched(make_method, three_slices):
    method = make_method()

    terms = method.loss_terms(three_slices, Generator())

    share = terms["equivariance"] / sum(terms.values())
    assert method.watched["share_of_equivariance"].item() == pytest.approx(share.item())
