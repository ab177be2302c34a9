"""A slice goes into the model's square and comes back to its place."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ContrastiveSegLib.sam._frame import SHOWN, Frame

CPU = torch.device("cpu")


@pytest.mark.parametrize("keeps_shape", [True, False])
@pytest.mark.parametrize("shape", [(60, 40), (40, 60), (64, 64), (300, 200)])
def test_a_drawing_comes_back_to_its_place(shape: tuple[int, int], keeps_shape: bool) -> None:
    drawn = np.zeros(shape, np.uint8)
    drawn[shape[0] // 4 : shape[0] // 2, shape[1] // 3 : shape[1] * 3 // 4] = 255
    frame = Frame(shape, 128, keeps_shape)

    square = frame.padded(frame.gray(drawn, CPU))
    (answer,) = frame.answers(square[0] / 127.5 - 1, [0.5])

    both = answer.mask & (drawn > 0)
    assert 2 * both.sum() / (answer.mask.sum() + (drawn > 0).sum()) > 0.97
    assert answer.logits.shape == shape
    assert answer.low_resolution.shape == (128, 128)


def test_the_longer_side_fills_the_square_and_the_rest_is_empty() -> None:
    frame = Frame((60, 40), 128, keeps_shape=True)

    square = frame.padded(frame.gray(np.full((60, 40), 200, np.uint8), CPU))

    assert frame.inside == (128, 85)
    assert square.shape == (1, 1, 128, 128)
    assert float(square[..., 85:].abs().max()) == 0
    assert float(square[..., :85].min()) == pytest.approx(200)


def test_points_are_moved_with_the_pixels() -> None:
    keeping, filling = Frame((60, 40), 120, keeps_shape=True), Frame((60, 40), 120, keeps_shape=False)

    np.testing.assert_allclose(keeping.points([[10, 30]]), [[20, 60]])
    np.testing.assert_allclose(filling.points([[10, 30]]), [[30, 60]])


@pytest.mark.parametrize("keeps_shape", [True, False])
def test_an_outline_is_shown_as_the_answer_that_would_give_it_back(keeps_shape: bool) -> None:
    drawn = np.zeros((300, 200), bool)
    drawn[75:150, 60:150] = True
    frame = Frame(drawn.shape, 1024, keeps_shape)

    shown = frame.logits(drawn, torch.zeros(1, 3, 64, 64))
    (answer,) = frame.answers(shown[0], [1.0])

    assert shown.shape == (1, 1, 256, 256)
    both = answer.mask & drawn
    assert 2 * both.sum() / (answer.mask.sum() + drawn.sum()) > 0.98
    assert float(shown.min()) == pytest.approx(-SHOWN)
    assert float(shown.max()) == pytest.approx(SHOWN)
