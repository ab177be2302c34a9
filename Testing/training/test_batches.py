"""Batches hold the right patches of the right slices, and the step alone decides which."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
import torch

from ContrastiveSegLib.training.batches import Batch, Sampler, copy_patch


@pytest.fixture
def some_cases(make_case):
    """Two cases of different size: 6 and 4 slices."""
    return [make_case("case1"), make_case("case2", shape=(4, 56, 36))]


@pytest.fixture
def a_numbered_case(make_case):
    """A case that tells the voxel: row and column as gray values, a label per quarter."""
    rows, columns = np.meshgrid(np.arange(64), np.arange(64), indexing="ij")
    images = np.broadcast_to(np.stack([rows, columns])[:, None], (2, 3, 64, 64)) / 64
    labels = np.broadcast_to(1 + (rows >= 32) + 2 * (columns >= 32), (3, 64, 64)).astype(np.int16)
    return make_case(shape=(3, 64, 64), images=images, labels=labels)


@pytest.mark.parametrize("center", [*itertools.product((0, 2, 4), (0, 3, 6), (0, 4, 7))])
@pytest.mark.parametrize("size", [(1, 4, 4), (3, 5, 6), (7, 9, 10)])
def test_a_patch_equals_a_slow_loop_also_beyond_the_border(center, size):
    source = np.random.default_rng(0).random((2, 5, 7, 8))
    target = np.full((2, *size), -1.0)

    copy_patch(source, target, center)

    for place in itertools.product(*map(range, size)):
        voxel = [p + c - n // 2 for p, c, n in zip(place, center, size, strict=True)]
        is_inside = all(0 <= v < n for v, n in zip(voxel, source.shape[1:], strict=True))
        expected = source[(slice(None), *voxel)] if is_inside else -1
        assert (target[(slice(None), *place)] == expected).all()


def test_a_step_always_draws_the_same_batch(some_cases):
    sampler = Sampler(some_cases, (32, 32), labeled=True, seed=3)

    forward = [sampler.draw(step, 4) for step in range(3)]
    backward = [Sampler(some_cases, (32, 32), labeled=True, seed=3).draw(step, 4) for step in (2, 1, 0)][::-1]

    for one, other in zip(forward, backward, strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.labels, other.labels)
        assert torch.equal(one.slice_positions, other.slice_positions)
        assert torch.equal(one.cases, other.cases)


def test_another_step_and_another_seed_draw_another_batch(some_cases):
    batch = Sampler(some_cases, (32, 32), labeled=False, seed=3).draw(0, 4)

    for seed, step in ((3, 1), (4, 0)):
        other = Sampler(some_cases, (32, 32), labeled=False, seed=seed).draw(step, 4)
        assert not torch.equal(batch.images, other.images)


def test_each_epoch_sees_every_slice_once_in_another_order(some_cases):
    sampler = Sampler(some_cases, (32, 32), labeled=False, seed=0)
    assert len(sampler) == 10

    batches = [sampler.draw(step, 4) for step in range(5)]  # two epochs of ten slices

    seen = [
        (int(c), round(float(h), 4)) for b in batches for c, h in zip(b.cases, b.slice_positions, strict=True)
    ]
    slices = [(c, round((k + 1) / n, 4)) for c, n in ((0, 6), (1, 4)) for k in range(n)]
    assert sorted(seen[:10]) == sorted(seen[10:]) == sorted(slices)
    assert seen[:10] != seen[10:]


def test_images_come_from_the_case_and_slice_that_are_named(make_case):
    cases = []
    for c, slices in enumerate((3, 5)):
        gray = (10 * c + np.arange(slices) + 1) / 20
        images = np.broadcast_to(gray[None, :, None, None], (1, slices, 40, 40))
        cases.append(make_case(f"case{c}", shape=(slices, 40, 40), images=images))

    batch = Sampler(cases, (32, 32), labeled=False, seed=0).draw(0, 8)

    for image, case, height in zip(batch.images, batch.cases, batch.slice_positions, strict=True):
        k = round(float(height) * (3, 5)[case]) - 1
        assert image.unique().item() == pytest.approx((10 * int(case) + k + 1) / 20, abs=1e-3)


def test_batches_are_float32_images_and_int64_labels(some_cases):
    unlabeled = Sampler(some_cases, (32, 48), labeled=False, seed=0).draw(0, 5)
    labeled = Sampler(some_cases, (32, 48), labeled=True, seed=0).draw(0, 5)

    assert unlabeled.images.shape == labeled.images.shape == (5, 1, 32, 48)
    assert unlabeled.images.dtype == torch.float32
    assert unlabeled.labels is None
    assert labeled.labels.shape == (5, 32, 48)
    assert labeled.labels.dtype == torch.int64
    assert unlabeled.on(torch.device("cpu")).labels is None


def test_volumes_come_as_blocks_with_all_channels(make_case):
    cases = [make_case(channels=3)]

    batch = Sampler(cases, (4, 32, 32), labeled=True, seed=0).draw(0, 2)

    assert batch.images.shape == (2, 3, 4, 32, 32)
    assert batch.labels.shape == (2, 4, 32, 32)


def test_labels_lie_on_their_image(a_numbered_case):
    batch = Sampler([a_numbered_case], (32, 32), labeled=True, seed=0, margin=1.3).draw(0, 16)

    rows, columns = batch.images.mul(64).round().unbind(1)
    expected = 1 + (rows >= 32).long() + 2 * (columns >= 32).long()
    inside = batch.labels > 0  # beyond the border there is background
    assert torch.equal(batch.labels[inside], expected[inside])


def test_every_second_patch_shows_a_structure_and_each_structure_equally_often(make_case):
    labels = np.zeros((4, 96, 96), np.int16)
    labels[0, 70:72, 5:7] = 1  # a few voxels of one slice
    labels[:3, 10:60, 10:60] = 2
    sampler = Sampler([make_case(shape=(4, 96, 96), labels=labels)], (32, 32), labeled=True, seed=0)

    batches = [sampler.draw(step, 8) for step in range(40)]

    shown = [frozenset(b.labels[i].unique().tolist()) - {0} for b in batches for i in range(0, 8, 2)]
    assert all(shown)
    small = sum(1 in structures for structures in shown) / len(shown)
    assert 0.38 < small < 0.62
    others = [b.labels[i] for b in batches for i in range(1, 8, 2)]
    assert any(not labels.any() for labels in others)


def test_structures_of_all_cases_are_visited(make_case):
    cases = [make_case(f"case{n}") for n in range(3)]

    batches = [Sampler(cases, (32, 32), labeled=True, seed=0).draw(step, 8) for step in range(6)]

    assert set(Counter(int(c) for b in batches for c in b.cases[::2])) == {0, 1, 2}


@pytest.mark.parametrize("labeled", [False, True])
def test_patches_stay_inside_of_larger_images(make_case, labeled):
    case = make_case(shape=(3, 80, 64), images=np.ones((1, 3, 80, 64)))

    batch = Sampler([case], (32, 48), labeled=labeled, seed=0).draw(0, 32)

    assert batch.images.min() == 1


def test_patches_with_labels_reach_every_border_and_those_without_stay_near_the_middle(a_numbered_case):
    batches = [
        Sampler([a_numbered_case], (32, 32), labeled=labeled, seed=0).draw(0, 60) for labeled in (True, False)
    ]

    reached, near = (batch.images[:, 0].mul(64).round() for batch in batches)
    assert (reached.min(), reached.max()) == (0, 63)
    assert (near.min(), near.max()) == (16 - 4, 47 + 4)


@pytest.mark.parametrize("shape", [(3, 20, 28), (3, 20, 96)], ids=["both axes", "one axis"])
def test_smaller_images_lie_in_the_middle_of_nothing(make_case, shape):
    case = make_case(shape=shape, images=np.ones((1, *shape)))

    batch = Sampler([case], (32, 32), labeled=False, seed=0).draw(0, 4)

    expected = torch.zeros(32, 32)
    expected[6:26, slice(2, 30) if shape[2] == 28 else slice(None)] = 1
    assert all(torch.equal(image[0], expected) for image in batch.images)


def test_a_margin_enlarges_the_patch_in_plane(some_cases):
    flat = Sampler(some_cases, (32, 32), labeled=True, seed=0, margin=1.3).draw(0, 2)
    deep = Sampler(some_cases, (4, 32, 32), labeled=True, seed=0, margin=1.3).draw(0, 2)

    assert flat.images.shape == (2, 1, 42, 42)
    assert deep.labels.shape == (2, 4, 42, 42)


def test_a_structure_at_the_border_reaches_the_inside_of_the_margin(make_case):
    labels = np.zeros((2, 96, 96), np.int16)
    labels[:, 0, 40:50] = 1  # the very first row

    batch = Sampler([make_case(shape=(2, 96, 96), labels=labels)], (32, 32), labeled=True, seed=0, margin=1.5)
    labels = batch.draw(0, 16).labels  # (16, 48, 48): the patch is 8...40

    assert all(labels[i, 8:40, 8:40].any() for i in range(0, 16, 2))


def test_labeled_blocks_stay_inside_of_higher_volumes_and_show_their_structure(make_case):
    labels = np.zeros((12, 40, 40), np.int16)
    labels[0, 10:20, 10:20] = 1
    case = make_case(shape=(12, 40, 40), images=np.ones((1, 12, 40, 40)), labels=labels)

    batch = Sampler([case], (8, 32, 32), labeled=True, seed=0).draw(0, 16)

    assert batch.images.min() == 1
    assert all(batch.labels[i].any() for i in range(0, 16, 2))


def test_the_slice_position_of_a_block_is_that_of_its_center(make_case):
    gray = np.broadcast_to(np.arange(1, 13)[None, :, None, None] / 12, (1, 12, 40, 40))
    case = make_case(shape=(12, 40, 40), images=gray)

    batch = Sampler([case], (5, 32, 32), labeled=False, seed=0).draw(0, 12)

    centers = batch.images[:, 0, 2, 16, 16]
    torch.testing.assert_close(centers, batch.slice_positions, atol=1e-3, rtol=0)


def test_what_nobody_asked_for_is_missed_aloud(some_cases):
    batch = Sampler(some_cases, (32, 32), labeled=False, seed=0).draw(0, 2)

    with pytest.raises(ValueError, match="this batch was drawn without regions"):
        batch.region_maps()
    with pytest.raises(ValueError, match="this batch was drawn without partners"):
        batch.companions()
    with pytest.raises(ValueError, match="case1 was prepared without regions"):
        _ = some_cases[0].region_map


def test_a_batch_moves_with_all_it_has():
    tensors = [torch.zeros(2, 1, 4, 4), torch.zeros(2), torch.zeros(2)]
    batch = Batch(*tensors, regions=torch.ones(2, 4, 4), partners=torch.ones(1, 2, 1, 4, 4))

    moved = batch.on(torch.device("meta"))

    assert {n: t.device.type for n, t in vars(moved).items() if isinstance(t, torch.Tensor)} == dict.fromkeys(
        ("images", "slice_positions", "cases", "regions", "partners"), "meta"
    )
