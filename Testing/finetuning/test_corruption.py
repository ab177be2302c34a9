"""Uncertain regions and corrupted blocks, against slow loops and what each corruption must keep."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Generator

from ContrastiveSegLib.finetuning import _corruption as corruption
from ContrastiveSegLib.finetuning._corruption import corrupted, random_curves, uncertain_region


def a_generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.fixture
def an_organ() -> torch.Tensor:
    """Labels (2, 64, 64): two structures that touch, and none."""
    labels = torch.zeros(2, 64, 64, dtype=torch.int64)
    labels[0, 20:44, 16:32] = 1
    labels[0, 20:44, 32:50] = 2
    return labels


@pytest.fixture
def a_picture() -> torch.Tensor:
    """Two channels (2, 2, 64, 64) whose pixels all differ."""
    return torch.rand(2, 2, 64, 64, generator=a_generator(5))


def slow_band(labels: np.ndarray, classes: int) -> np.ndarray:
    """Structure by structure: three voxels dilated without two voxels eroded, of (H, W)."""
    band = np.zeros(labels.shape, bool)
    for value in range(1, classes):
        eroded = ndimage.binary_erosion(labels == value, np.ones((5, 5)), border_value=1)
        band |= ndimage.binary_dilation(labels == value, np.ones((7, 7))) & ~eroded
    return band


def test_the_band_reaches_three_voxels_out_and_two_in(an_organ):
    region = uncertain_region(an_organ, torch.zeros(2, 3, 64, 64), entropy=False)

    np.testing.assert_array_equal(region[0].numpy(), slow_band(an_organ[0].numpy(), 3))
    assert not region[1].any()


def test_the_band_is_that_of_every_structure_however_many_meet():
    random = np.random.default_rng(0)
    blocks = np.kron(random.integers(-1, 6, (12, 6, 6)), np.ones((1, 12, 12), int))
    labels = np.where(random.random(blocks.shape) < 0.002, 3, blocks)

    region = uncertain_region(torch.from_numpy(labels), torch.zeros(12, 6, 72, 72), entropy=False)

    for found, truth in zip(region.numpy(), labels, strict=True):
        np.testing.assert_array_equal(found, slow_band(truth, 6))


def test_an_undecided_network_counts_near_a_structure_alone(an_organ):
    scores = torch.zeros(2, 3, 64, 64)
    scores[:, 0] = 9
    scores[:, :, 8:14] = scores[:, :, 30] = 0  # undecided in rows 8 to 13 and 30

    before, after = (uncertain_region(an_organ, scores, entropy=e) for e in (False, True))

    added = (after & ~before)[0].numpy()
    near = ndimage.binary_dilation(an_organ[0].numpy() > 0, np.ones((21, 21)))
    rows = np.zeros((64, 64), bool)
    rows[8:14] = rows[30] = True
    np.testing.assert_array_equal(added, rows & near & ~before[0].numpy())
    assert added[:14].any()
    assert added[30].any()
    assert not after[1].any()


def test_thick_slices_are_reached_less():
    labels = torch.zeros(1, 9, 32, 32, dtype=torch.int64)
    labels[0, 4, 12:20, 12:20] = 1

    def slices(reach: float) -> list[int]:
        region = uncertain_region(labels, torch.zeros(1, 2, 9, 32, 32), entropy=False, reach=reach)
        return region[0].flatten(1).any(1).nonzero()[:, 0].tolist()

    assert slices(1.0) == list(range(1, 8))
    assert slices(0.125) == [4]


def test_corrupted_blocks_lie_around_the_region_and_nothing_else_changes(an_organ, a_picture):
    region = uncertain_region(an_organ, torch.zeros(2, 3, 64, 64), entropy=False)

    for seed in range(5):
        damaged, mask = corrupted(a_picture, region, a_generator(seed))

        allowed = ndimage.binary_dilation(region[0].numpy(), np.ones((21, 21)))
        assert mask[0].any()
        assert not mask[1].any()  # without a structure nothing is uncertain
        assert not (mask[0].numpy() & ~allowed).any()
        kept = ~mask[:, None].expand_as(a_picture)
        assert torch.equal(damaged[kept], a_picture[kept])
        assert (damaged != a_picture).any()


def test_sides_are_a_sixteenth_to_a_sixth_of_the_axis():
    where = torch.zeros(100, 4, 48, 108, dtype=torch.bool)
    where[:, 2, 24, 54] = True

    _, mask = corrupted(torch.rand(100, 1, 4, 48, 108), where, a_generator(), blocks=1)

    sides = np.array([[np.ptp(mask[i].nonzero()[:, a].numpy()) + 1 for a in range(3)] for i in range(100)])
    assert set(sides[:, 0]) == {3}
    assert (sides[:, 1].min(), sides[:, 1].max()) == (3, 8)
    assert (sides[:, 2].min(), sides[:, 2].max()) == (6, 16)
    assert mask.sum().item() == sides.prod(1).sum()


def the_only(kind: int, monkeypatch: pytest.MonkeyPatch, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Images, images with blocks of this kind alone, and the block of each pixel."""
    shares = [0.0] * 4
    shares[kind] = 1.0
    monkeypatch.setattr(corruption, "SHARES", tuple(shares))
    owners = []
    blocks = corruption._random_blocks
    monkeypatch.setattr(corruption, "_random_blocks", lambda *a: owners.append(blocks(*a)) or owners[0])
    damaged, mask = corrupted(images, torch.ones(len(images), *images.shape[2:]).bool(), a_generator(1))
    assert torch.equal(mask, owners[0] > 0)
    return damaged, owners[0]


def test_a_shuffled_block_holds_the_same_pixels_in_another_order(monkeypatch, a_picture):
    damaged, owner = the_only(corruption.SHUFFLE, monkeypatch, a_picture)

    for i in range(2):
        for block in range(1, int(owner[i].max()) + 1):
            before, after = a_picture[i][:, owner[i] == block], damaged[i][:, owner[i] == block]
            if before.shape[1] > 4:
                assert not torch.equal(before, after)
            order = before[0].argsort(), after[0].argsort()
            # Channels move together.
            assert torch.equal(before[:, order[0]], after[:, order[1]])


def test_a_block_of_its_mean_is_flat(monkeypatch, a_picture):
    damaged, owner = the_only(corruption.MEAN, monkeypatch, a_picture)

    for i in range(2):
        for block in owner[i].unique()[1:]:
            inside = owner[i] == block
            expected = a_picture[i][:, inside].mean(1, keepdim=True).expand(-1, int(inside.sum()))
            torch.testing.assert_close(damaged[i][:, inside], expected)


def test_noise_knows_nothing_of_the_image(monkeypatch):
    damaged, owner = the_only(corruption.NOISE, monkeypatch, torch.full((2, 1, 64, 64), 0.3))

    values = damaged[:, 0][owner > 0]
    assert (values.min() >= 0) & (values.max() <= 1)
    assert values.std().item() == pytest.approx(12**-0.5, abs=0.02)


def test_a_curve_keeps_or_reverses_the_order_of_gray_values(monkeypatch, a_picture):
    damaged, owner = the_only(corruption.CURVE, monkeypatch, a_picture)

    directions = set()
    for i in range(2):
        for block in owner[i].unique()[1:]:
            inside = owner[i] == block
            for before, after in zip(a_picture[i][:, inside], damaged[i][:, inside], strict=True):
                steps = after[before.argsort()].diff()
                assert (steps >= -1e-6).all() or (steps <= 1e-6).all()
                directions.add(bool(steps.sum() > 0))
    assert directions == {True, False}


def test_curves_equal_the_bezier_curve_of_their_control_points():
    curves = random_curves(6, a_generator(3), torch.device("cpu"))

    x1, x2, y1, y2 = torch.rand(2, 6, 2, generator=a_generator(3)).permute(0, 2, 1).flatten(0, 1).double()
    t = np.linspace(0, 1, 20_001)[:, None]
    x, y = (
        (3 * (1 - t) ** 2 * t * p1.numpy() + 3 * (1 - t) * t**2 * p2.numpy() + t**3)
        for p1, p2 in ((x1, x2), (y1, y2))
    )
    even = np.linspace(0, 1, corruption.KNOTS)
    for n in range(6):
        rising = np.interp(even, x[:, n], y[:, n])
        error = min(abs(curves[n].numpy() - r).max() for r in (rising, 1 - rising))
        assert error < 5e-3
        assert sorted([round(float(curves[n, 0]), 5), round(float(curves[n, -1]), 5)]) == [0, 1]


def test_a_seed_repeats_a_corruption(an_organ, a_picture):
    where = an_organ > 0

    first, again, other = (corrupted(a_picture, where, a_generator(s))[0] for s in (1, 1, 2))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
