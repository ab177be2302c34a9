"""DiRA's terms equal values computed without its code, and critic and network do not train each other."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Generator

from ContrastiveSegLib.pretraining import dira

SETTINGS = dira.Settings(queue=16, restoration=3.0, adversary=0.5, temperature=0.3, momentum=0.9)


@pytest.fixture
def a_method(make_network, with_simple_views):
    torch.manual_seed(0)
    return with_simple_views(dira).Method(make_network(), SETTINGS).eval()


def learned(module):
    return [name for name, p in module.named_parameters() if p.grad is not None and p.grad.any()]


def verdicts(critic, images):
    """The critic's last map, of one image after the other."""
    return torch.cat([critic(image[None])[-1] for image in images]).detach().double()


def test_the_terms_equal_slow_loops(a_method, a_batch, cosine):
    past = a_method.queue.snapshot()

    terms = a_method.loss_terms(a_batch, Generator())

    losses, restored = [], []
    originals = a_batch.images.flip(-1, -2)
    for original in originals[:, None]:
        features = a_method.network.encode(0.5 * original)
        query = a_method.projector(features[-1])[0].detach()
        key = a_method.slow_projector(a_method.slow_network.encode(0.5 * original)[-1])[0]
        scores = [cosine(query, row) / 0.3 for row in (key, *past)]
        losses.append(math.log(sum(map(math.exp, scores))) - scores[0])
        restored.append(a_method.restore(a_method.network.decode(features))[0].detach())
    restored = torch.stack(restored)
    squares = [(r - o).square().mean().item() for r, o in zip(restored, originals, strict=True)]
    of_real, of_restored = (verdicts(a_method.critic, images) for images in (originals, restored))
    assert list(terms) == ["queue", "restoration", "adversary", "critic"]
    assert terms["queue"].item() == pytest.approx(sum(losses) / 4, rel=1e-4)
    assert terms["restoration"].item() == pytest.approx(3 * sum(squares) / 4, rel=1e-4)
    fooled = (of_restored - 1).square().mean().item()
    assert terms["adversary"].item() == pytest.approx(0.5 * fooled, rel=1e-4)
    errors = (of_real - 1).square().mean() + of_restored.square().mean()
    assert terms["critic"].item() == pytest.approx(0.5 * errors.item(), rel=1e-4)


def test_the_adversary_term_does_not_train_the_critic(a_method, a_batch):
    a_method.loss_terms(a_batch, Generator())["adversary"].backward()

    assert not learned(a_method.critic)
    assert learned(a_method.network.encoder)
    assert learned(a_method.network.decoder)
    assert learned(a_method.restore)


def test_the_critic_term_does_not_train_the_network(a_method, a_batch):
    a_method.loss_terms(a_batch, Generator())["critic"].backward()

    assert learned(a_method.critic)
    assert not learned(a_method.network)
    assert not learned(a_method.restore)


def test_restoring_trains_encoder_and_decoder_but_not_the_projector(a_method, a_batch):
    a_method.loss_terms(a_batch, Generator())["restoration"].backward()

    assert learned(a_method.network.encoder)
    assert all(learned(block) for block in a_method.network.decoder)
    assert not learned(a_method.projector)
    assert not learned(a_method.network.head)


def test_all_channels_are_restored(make_network):
    method = dira.Method(make_network(in_channels=3), SETTINGS)

    assert method.restore.weight.shape == (3, 4, 1, 1)
    assert method.critic(torch.zeros(2, 3, 32, 32))[-1].shape[:2] == (2, 1)
