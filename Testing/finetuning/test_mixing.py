"""Mixed slices: rectangles of a fifth of the area, laid on each other pixel by pixel."""

from __future__ import annotations

import pytest
import torch
from torch import Generator

from ContrastiveSegLib.finetuning._mixing import laid_on, random_boxes, random_mix, random_rectangles


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.mark.parametrize("size", [(128, 128), (48, 80), (16, 16)])
def test_rectangles_have_a_fifth_of_the_area_and_lie_inside(size):
    rows, columns = size

    rectangles = random_rectangles(torch.zeros(200, 1, rows, columns), generator())

    assert rectangles.shape == (200, rows, columns)
    for rectangle in rectangles:
        places = rectangle.nonzero()
        top, left = places.amin(0)
        bottom, right = places.amax(0)
        height, width = int(bottom - top + 1), int(right - left + 1)
        assert rectangle[top : bottom + 1, left : right + 1].all()
        assert len(places) == height * width
        assert abs(height * width - 0.2 * rows * columns) <= 0.5 * height + 1e-3
        assert 0.2 * rows <= height <= rows


def test_rectangles_are_tall_and_wide_and_reach_every_border():
    rectangles = random_rectangles(torch.zeros(500, 1, 64, 64), generator())

    heights = rectangles.any(2).sum(1)
    assert heights.min() < 20
    assert heights.max() > 55
    # exp(u ln 0.2) is below the square root of 0.2 in half of the draws.
    assert (heights < 0.2**0.5 * 64).float().mean().item() == pytest.approx(0.5, abs=0.07)
    for border in (rectangles[:, 0], rectangles[:, -1], rectangles[:, :, 0], rectangles[:, :, -1]):
        assert border.any()


@pytest.mark.parametrize("seed", range(4))
def test_pasting_is_a_loop_over_pixels(seed):
    images = torch.rand(3, 2, 16, 16, generator=generator(9))
    others = torch.rand(3, 2, 16, 16, generator=generator(10))
    mix = random_mix(images, generator(seed), dynamic=True)

    pasted = mix.paste(images, others)
    labels = mix.paste(images[:, 0], others[:, 0])

    for b in range(3):
        for y in range(16):
            for x in range(16):
                inside = mix.rectangles[b, y, x]
                expected = images[mix.inside[b], :, y, x] if inside else others[mix.outside[b], :, y, x]
                assert torch.equal(pasted[b, :, y, x], expected)
                assert labels[b, y, x] == expected[0]


def test_each_rectangle_belongs_to_the_slice_that_lies_on_top():
    images = torch.zeros(5, 1, 32, 32)
    own = random_rectangles(images, generator(3))

    mix = random_mix(images, generator(3), dynamic=True)

    assert torch.equal(mix.rectangles, own[mix.inside])
    assert sorted(mix.inside.tolist()) == sorted(mix.outside.tolist()) == [0, 1, 2, 3, 4]


def test_only_dynamic_mixing_exchanges_the_roles_and_does_so_in_half_of_the_steps():
    images = torch.zeros(2, 1, 16, 16)

    dynamic = [random_mix(images, generator(seed), dynamic=True).swapped for seed in range(200)]
    static = [random_mix(images, generator(seed), dynamic=False).swapped for seed in range(200)]

    assert 70 < sum(dynamic) < 130
    assert not any(static)


def test_exchanged_roles_exchange_the_orders():
    images = torch.zeros(6, 1, 16, 16)
    seed = next(s for s in range(20) if random_mix(images, generator(s), dynamic=True).swapped)

    swapped = random_mix(images, generator(seed), dynamic=True)
    fixed = random_mix(images, generator(seed), dynamic=False)

    assert torch.equal(swapped.inside, fixed.outside)
    assert torch.equal(swapped.outside, fixed.inside)


def test_boxes_have_areas_and_aspects_within_their_limits():
    images = torch.zeros(400, 1, 100, 100)

    boxes = random_boxes(images, Generator().manual_seed(0))

    areas = boxes.float().mean((1, 2))
    heights, widths = boxes.any(2).sum(1), boxes.any(1).sum(1)
    assert 0.015 < areas.min() < 0.05
    assert 0.35 < areas.max() < 0.42
    assert torch.equal(boxes.sum((1, 2)), heights * widths)  # boxes, not other shapes
    assert (heights / widths).max() < 4
    assert (heights / widths).min() > 0.25
    assert boxes.any(0).float().mean() > 0.95  # anywhere but in the very corners


def test_boxes_of_given_sides_differ_in_their_place_alone():
    boxes = random_boxes(torch.zeros(50, 1, 4, 30, 60), Generator().manual_seed(0), sides=2 / 3)

    assert (boxes.any(2).sum(1) == 20).all()
    assert (boxes.any(1).sum(1) == 40).all()
    assert len(torch.unique(boxes.flatten(1), dim=0)) > 40


def test_what_is_laid_on_a_box_keeps_images_and_labels_together():
    boxes = torch.zeros(2, 4, 5, dtype=torch.bool)
    boxes[:, 1:3, 2:4] = True
    top, below = torch.ones(2, 3, 4, 5), torch.zeros(2, 3, 4, 5)

    assert torch.equal(laid_on(boxes, top, below)[:, 0], boxes.float())
    assert torch.equal(laid_on(boxes, top, below, swapped=True)[:, 2], (~boxes).float())
    assert torch.equal(laid_on(boxes, top[:, 0], below[:, 0]), boxes.float())
