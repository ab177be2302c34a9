"""SuperCL's terms equal values computed without its code, image by image and pixel by pixel."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Generator

from ContrastiveSegLib.preprocessing.superpixels import regions_of
from ContrastiveSegLib.pretraining import supercl
from ContrastiveSegLib.training.batches import Batch

COUNT = 6
SLICE_POSITIONS = [0.10, 0.15, 0.50, 0.55, 0.80, 1.00]


@pytest.fixture
def six_slices():
    """Six slices of 64 pixels with regions of every size; on the features are 4 x 4 places."""
    random = Generator().manual_seed(5)
    images = torch.rand(COUNT, 1, 64, 64, generator=random)
    coarse = torch.randint(1, 5, (COUNT, 4, 4), generator=random)
    regions = coarse.repeat_interleave(16, 1).repeat_interleave(16, 2)
    regions[:, 1:] += torch.randint(0, 3, (COUNT, 63, 64), generator=random)
    return Batch(images, torch.tensor(SLICE_POSITIONS), torch.arange(COUNT), regions=regions)


@pytest.fixture
def make_method(make_network, with_simple_views, monkeypatch):
    """A maker of methods whose second unmoved view is another one than the first: which is which matters."""
    with_simple_views(supercl)
    monkeypatch.setattr(
        supercl,
        "intensity_augmentation",
        lambda images, _: torch.cat([images[:COUNT], images[COUNT:].square()]),
    )

    def make(**settings):
        torch.manual_seed(0)
        return supercl.Method(make_network(), supercl.Settings(**settings)).eval()

    return make


def features_of(method, image):
    """The deepest features of one image (1, H, W): (D, 4, 4)."""
    return method.network.encode(image[None])[-1][0].detach()


def still_views(images):
    return images, images.square()


def rows_of(method, images):
    """z of all first and then of all second moved views."""
    views = [view.flip(-1, -2) for still in still_views(images) for view in still]
    return [method.projector(features_of(method, view)[None])[0] for view in views]


@pytest.mark.parametrize("threshold", [0.06, 0.4])
def test_slices_at_similar_slice_positions_are_positives_of_the_instance_term(
    make_method, six_slices, slow_contrast, threshold
):
    method = make_method(threshold=threshold, temperature=0.2)

    terms = method.loss_terms(six_slices, Generator())

    near = [[abs(a - b) < threshold or a == b for a in SLICE_POSITIONS] for b in SLICE_POSITIONS]
    expected = slow_contrast(
        rows_of(method, six_slices.images),
        lambda a, b: near[a % COUNT][b % COUNT],
        temperature=0.2,
    )
    assert list(terms) == ["instance", "intra", "inter"]
    assert terms["instance"].item() == pytest.approx(expected, rel=1e-4)


def test_slices_without_slice_positions_are_told_apart_one_by_one(make_method, six_slices, slow_contrast):
    method = make_method(temperature=0.2)

    terms = method.loss_terms(dataclasses.replace(six_slices, slice_positions=torch.ones(COUNT)), Generator())

    rows = rows_of(method, six_slices.images)
    expected = slow_contrast(rows, lambda a, b: a % COUNT == b % COUNT, temperature=0.2)
    assert terms["instance"].item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("sampling", "kept"), [("all", range(16)), ("random", None)])
def test_pixels_of_a_superpixel_are_positives_within_their_slice(
    make_method, six_slices, slow_contrast, sampling, kept, monkeypatch
):
    method = make_method(sampling=sampling, pixels=7, temperature=0.2, intra=0.6)
    drawn = []
    choose = supercl.chosen_pixels
    monkeypatch.setattr(
        supercl, "chosen_pixels", lambda *args, **how: drawn.append(choose(*args, **how)) or drawn[0]
    )

    terms = method.loss_terms(six_slices, Generator().manual_seed(0))

    losses, superpixels = [], []
    for n in range(COUNT):
        index = [int(i) for i in drawn[0][n]]
        assert sorted(index) == list(kept or sorted(set(index)))
        views = [features_of(method, still[n]) for still in still_views(six_slices.images)]
        rows = [view[:, i // 4, i % 4] for view in views for i in index]
        labels = [int(six_slices.regions[n, 16 * (i // 4), 16 * (i % 4)]) for i in index] * 2
        losses.append(slow_contrast(rows, lambda a, b, w=labels: w[a] == w[b], temperature=0.2))
        superpixels.append(len(set(labels)))
    assert len(drawn[0][0]) == {"all": 16, "random": 7}[sampling]
    assert terms["intra"].item() == pytest.approx(0.6 * sum(losses) / COUNT, rel=1e-4)
    assert method.watched["superpixels"].item() == pytest.approx(sum(superpixels) / COUNT)


def structure_of(features, regions, divisor):
    """Average superpixel pooling of one view, pixel by pixel: 16 values."""
    mean = features.double().mean(0)
    sums, counts = {}, {}
    for row, column in np.ndindex(4, 4):
        region = int(regions[16 * row, 16 * column])
        sums[region] = sums.get(region, 0) + mean[row, column].item()
        counts[region] = counts.get(region, 0) + 1
    where = [int(regions[16 * row, 16 * column]) for row, column in np.ndindex(4, 4)]
    return np.array([sums[r] / (counts[r] if divisor == "region" else 16) for r in where])


def labels_of(nodes):
    """Weak labels: each node is linked with the most similar other one."""
    unit = [node / np.linalg.norm(node) for node in nodes]
    count = len(unit)
    nearest = [
        max((b for b in range(count) if b != a), key=lambda b, a=a: unit[a] @ unit[b]) for a in range(count)
    ]
    graph = coo_array((np.ones(count), (range(count), nearest)), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def nodes_of(method, images, maps, divisor):
    """The structure of all first and then of all second unmoved views."""
    return [
        structure_of(features_of(method, still[n]), regions[n], divisor)
        for still, regions in zip(still_views(images), maps, strict=True)
        for n in range(COUNT)
    ]


@pytest.mark.parametrize("divisor", ["image", "region"])
@pytest.mark.parametrize("graph", ["both_views", "per_image"])
def test_slices_of_shared_structure_are_positives_of_the_inter_term(
    make_method, six_slices, slow_contrast, graph, divisor
):
    method = make_method(graph=graph, asp_norm=divisor, temperature=0.2, inter=0.3)

    terms = method.loss_terms(six_slices, Generator())

    nodes = nodes_of(method, six_slices.images, [six_slices.regions] * 2, divisor)
    if graph == "per_image":
        labels = labels_of([nodes[n] + nodes[n + COUNT] for n in range(COUNT)])
        labels = np.tile(labels, 2)
    else:
        labels = labels_of(nodes)
    expected = slow_contrast(
        rows_of(method, six_slices.images),
        lambda a, b: labels[a] == labels[b] or a % COUNT == b % COUNT,
        temperature=0.2,
    )
    assert terms["inter"].item() == pytest.approx(0.3 * expected, rel=1e-4)


@pytest.mark.parametrize("divisor", ["image", "region"])
def test_the_structures_that_are_compared_have_the_chosen_divisor(
    make_method, six_slices, monkeypatch, divisor
):
    method, seen = make_method(asp_norm=divisor), []
    find = supercl.nearest_neighbors
    monkeypatch.setattr(
        supercl, "nearest_neighbors", lambda rows, **how: seen.append(rows) or find(rows, **how)
    )

    method.loss_terms(six_slices, Generator())

    nodes = nodes_of(method, six_slices.images, [six_slices.regions] * 2, divisor)
    np.testing.assert_allclose(seen[0], np.stack(nodes), rtol=1e-4, atol=1e-6)


def test_the_graphs_differ(make_method, six_slices):
    values = set()
    for graph in ("both_views", "per_image"):
        method = make_method(graph=graph)
        method.loss_terms(six_slices, Generator())
        values.add(round(float(method.watched["component_size"]), 3))

    assert len(values) > 1


def test_no_gradient_passes_the_graph(make_method, six_slices):
    """The inter term trains through the moved views alone: its mask is only a label."""
    method = make_method(intra=0.0)
    seen = []
    encode = method.network.encode

    def remember(images):
        features = encode(images)
        features[-1].retain_grad()
        seen.append(features[-1])
        return features

    method.network.encode = remember
    method.loss_terms(six_slices, Generator())["inter"].backward()

    still, moved = seen
    assert still.grad is None
    assert moved.grad.any()


def test_each_view_may_have_superpixels_of_its_own(make_method, six_slices, slow_contrast):
    """Those of the first view decide within the slices, and each view's own between them."""
    method = make_method(superpixels="per_view", sampling="all", temperature=0.2)

    terms = method.loss_terms(dataclasses.replace(six_slices, regions=None), Generator())

    maps = [
        torch.stack([torch.from_numpy(regions_of(i.numpy(), 100).astype(np.int64)) for i in still])
        for still in still_views(six_slices.images)
    ]
    of_first = make_method(sampling="all", temperature=0.2).loss_terms(
        dataclasses.replace(six_slices, regions=maps[0]), Generator()
    )
    labels = labels_of(nodes_of(method, six_slices.images, maps, "image"))
    expected = slow_contrast(
        rows_of(method, six_slices.images),
        lambda a, b: labels[a] == labels[b] or a % COUNT == b % COUNT,
        temperature=0.2,
    )
    assert not torch.equal(*maps)
    assert terms["intra"].item() == pytest.approx(of_first["intra"].item(), rel=1e-6)
    assert terms["inter"].item() == pytest.approx(0.5 * expected, rel=1e-4)


def test_only_cached_superpixels_are_asked_of_the_data():
    assert supercl.Method.needs_of(supercl.Settings()) == ("regions",)
    assert supercl.Method.needs_of(supercl.Settings(superpixels="per_view")) == ()


def test_cached_superpixels_must_be_there(make_method, six_slices):
    with pytest.raises(ValueError, match="drawn without regions"):
        make_method().loss_terms(dataclasses.replace(six_slices, regions=None), Generator())
