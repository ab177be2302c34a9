"""MAE's loss equals a slow loop over hidden pixels, and hides the share that was asked for."""

from __future__ import annotations

import pytest
import torch
from torch import Generator

from ContrastiveSegLib.pretraining import mae


@pytest.fixture
def a_method(make_network, with_simple_views):
    torch.manual_seed(0)
    return with_simple_views(mae).Method(make_network(), mae.Settings(mask_ratio=0.5, blocks=4)).eval()


def test_the_loss_is_the_mean_square_over_hidden_pixels_alone(a_method, a_batch):
    a_method.token.data[:] = 0.3

    loss = a_method.loss_terms(a_batch, Generator().manual_seed(1))["restoration"]

    images = a_batch.images.flip(-1, -2)
    hidden = mae.hidden_blocks(images, 0.5, 4, Generator().manual_seed(1))
    squares = []
    for image, where in zip(images, hidden, strict=True):
        seen = image.clone()
        seen[0][where[0]] = 0.3
        restored = a_method.restore(a_method.network.decode(a_method.network.encode(seen[None])))[0]
        for row, column in where[0].nonzero().tolist():
            squares.append((restored[0, row, column] - image[0, row, column]).item() ** 2)
    assert loss.item() == pytest.approx(sum(squares) / len(squares), rel=1e-4)


def test_whole_blocks_are_hidden_and_as_many_in_each_image():
    hidden = mae.hidden_blocks(torch.zeros(5, 1, 32, 64), 0.75, 8, Generator().manual_seed(0))

    blocks = hidden.view(5, 8, 4, 8, 8).transpose(2, 3).flatten(3)  # (5, 8, 8, pixels of a block)
    assert (blocks.all(-1) == blocks.any(-1)).all()
    assert blocks.any(-1).sum((1, 2)).tolist() == [48] * 5
    assert len({tuple(image.flatten().tolist()) for image in hidden}) == 5


def test_few_slices_are_divided_into_fewer_blocks():
    hidden = mae.hidden_blocks(torch.zeros(2, 1, 6, 32, 32), 0.75, 8, Generator().manual_seed(0))

    assert hidden.shape == (2, 1, 6, 32, 32)
    assert (hidden[:, :, 0::2] == hidden[:, :, 1::2]).all()  # three blocks of two slices
    assert hidden.float().mean().item() == pytest.approx(0.75)


@pytest.mark.parametrize("share", [0.1, 0.95])
def test_something_is_hidden_and_something_is_seen_in_every_image(share):
    hidden = mae.hidden_blocks(torch.zeros(3, 2, 4, 4), share, 2, Generator().manual_seed(0))

    assert hidden.shape == (3, 1, 4, 4)
    assert hidden.flatten(1).any(1).all()
    assert not hidden.flatten(1).all(1).any()


def test_encoder_decoder_and_the_gray_value_of_hidden_blocks_learn(a_method, a_batch):
    a_method.loss_terms(a_batch, Generator().manual_seed(0))["restoration"].backward()

    learned = [name for name, p in a_method.named_parameters() if p.grad is not None and p.grad.any()]
    for part in ("network.encoder", "network.decoder.0", "network.decoder.3", "restore", "token"):
        assert any(name.startswith(part) for name in learned), part
    assert not any(name.startswith("network.head") for name in learned)
