"""What comes with an image: the superpixels at its place, and partners at places of their own."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from ContrastiveSegLib.training.batches import Chosen, Sampler
from ContrastiveSegLib.training.slice_pairs import Neighbor, Triplet


@pytest.fixture
def make_told_case(make_case):
    """A maker of cases whose gray values tell case, slice, row and column; their regions tell the pixel."""

    def make(c, slices):
        k, row, column = np.meshgrid(np.arange(slices), np.arange(64), np.arange(64), indexing="ij")
        images = np.stack([(k + 10 * c) / 64, row / 64, column / 64])
        case = make_case(f"case{c}", shape=(slices, 64, 64), images=images)
        return dataclasses.replace(case, regions=(1 + 64 * row + column).astype(np.uint16))

    return make


@pytest.mark.parametrize(("patch", "margin"), [((32, 48), 1.0), ((32, 32), 1.4), ((2, 32, 32), 1.0)])
def test_regions_are_cut_at_the_place_of_their_image(make_told_case, patch, margin):
    cases = [make_told_case(0, 5), make_told_case(1, 4)]

    batch = Sampler(cases, patch, labeled=False, seed=0, margin=margin).draw(0, 9)

    _, rows, columns = batch.images.mul(64).round().long().unbind(1)
    regions = batch.region_maps()
    inside = regions > 0  # beyond the border there is none
    assert regions.dtype == torch.int64
    assert regions.shape == rows.shape
    assert inside.float().mean() > 0.5
    assert torch.equal(regions[inside], (1 + 64 * rows + columns)[inside])
    assert not batch.images[:, 1][~inside].any()


FLAGS = {"case0": np.arange(5) > 2, "case1": np.arange(4) < 2}


def is_next(anchor, neighbor):
    return anchor[0] == neighbor[0] and abs(anchor[1] - neighbor[1]) == 1


def tells_scans_apart(anchor, positive, negative):
    return positive != anchor and positive[0] == anchor[0] != negative[0]


def tells_the_organ_apart(anchor, positive, negative):
    shown = [bool(FLAGS[f"case{c}"][k]) for c, k in (anchor, positive, negative)]
    return positive != anchor and shown[0] == shown[1] != shown[2]


@pytest.mark.parametrize(
    ("partners", "is_legal"),
    [(Neighbor(), is_next), (Triplet("S"), tells_scans_apart), (Triplet("O"), tells_the_organ_apart)],
    ids=["neighbor", "S", "O"],
)
def test_partners_are_slices_that_may_come_with_their_image(make_told_case, partners, is_legal):
    cases = [make_told_case(0, 5), make_told_case(1, 4)]
    sampler = Sampler(cases, (32, 48), labeled=False, seed=0, chosen=Chosen(partners=partners, flags=FLAGS))

    batches = [sampler.draw(step, 6) for step in range(6)]

    for batch in batches:
        assert batch.partners.shape == (partners.count, 6, 3, 32, 48)
        assert len(batch.companions()) == partners.count
        own, *others = (
            [divmod(round(image[0, 0, 0].item() * 64), 10) for image in images]
            for images in (batch.images, *batch.companions())
        )
        assert own == [
            (int(c), round(float(h) * (5, 4)[c]) - 1)
            for c, h in zip(batch.cases, batch.slice_positions, strict=True)
        ]
        assert all(is_legal(anchor, *drawn) for anchor, *drawn in zip(own, *others, strict=True))


def test_partners_are_cut_at_places_of_their_own(make_told_case):
    cases = [make_told_case(0, 5), make_told_case(1, 4)]

    batch = Sampler(cases, (32, 32), labeled=False, seed=0, chosen=Chosen(partners=Neighbor())).draw(0, 9)

    (neighbors,) = batch.companions()
    corners = [images[:, 1:, 0, 0] for images in (batch.images, neighbors)]
    assert (corners[0] != corners[1]).any(1).sum() >= 8
    assert neighbors[:, 1:].max() <= 1
    for image in neighbors.mul(64).round():
        assert (image[1].diff(dim=0) == 1).all()
        assert (image[2].diff(dim=1) == 1).all()


def test_slices_without_partners_are_not_drawn(make_told_case):
    cases = [make_told_case(0, 3), make_told_case(1, 1)]

    sampler = Sampler(cases, (32, 32), labeled=False, seed=0, chosen=Chosen(partners=Neighbor()))

    assert len(sampler) == 3
    assert {int(c) for step in range(4) for c in sampler.draw(step, 4).cases} == {0}


def test_a_step_always_draws_the_same_partners_and_regions(make_told_case):
    cases = [make_told_case(0, 5), make_told_case(1, 4)]

    first, again, other = (
        Sampler(cases, (32, 32), labeled=False, seed=seed, chosen=Chosen(partners=Triplet("S"))).draw(3, 4)
        for seed in (1, 1, 2)
    )

    assert torch.equal(first.partners, again.partners)
    assert torch.equal(first.regions, again.regions)
    assert not torch.equal(first.partners, other.partners)


def test_without_partners_the_images_are_the_same_as_ever(make_told_case):
    """Who asks for no partners gets the batches of before."""
    cases = [make_told_case(0, 5), make_told_case(1, 4)]

    alone, together = (
        Sampler(cases, (32, 32), labeled=False, seed=1, chosen=Chosen(partners=partners)).draw(2, 4)
        for partners in (None, Neighbor())
    )

    assert torch.equal(alone.images, together.images)
    assert alone.partners is None


def test_regions_of_some_cases_only_are_not_given(make_told_case):
    told = make_told_case(0, 5)

    batch = Sampler([told, dataclasses.replace(told, regions=None)], (32, 32), labeled=False, seed=0).draw(
        0, 2
    )

    assert batch.regions is None
