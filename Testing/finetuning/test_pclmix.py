"""PCLMix: its terms, its ramps, its switches, and what it must not look at."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import Generator
from torch.nn import functional as F

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.finetuning._certainty import (
    AnchorLimits,
    certain_labels,
    choose_anchors,
    entropy_limit,
    on_cells,
)
from ContrastiveSegLib.finetuning._losses import risen
from ContrastiveSegLib.finetuning._memory import memory_contrast
from ContrastiveSegLib.finetuning._mixing import random_mix
from ContrastiveSegLib.finetuning.pclmix import Settings, Strategy, pseudo_labels
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.networks.second_decoder import ConvolutionalDecoder
from ContrastiveSegLib.networks.window_decoder import WindowDecoder

PATCH = (32, 32)


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.fixture
def scribbles(a_batch):
    """The batch with a line painted in each structure and one in the background."""
    painted = torch.full_like(a_batch.labels, IGNORE_LABEL)
    for rows in (slice(8, 10), slice(14, 17), slice(32, 34)):
        painted[:, rows, 2:25] = a_batch.labels[:, rows, 2:25]
    return replace(a_batch, labels=painted)


@pytest.fixture
def make_strategy(make_network):
    """A maker of strategies half through their training, that see the middle of each image unchanged."""

    def make(**settings) -> Strategy:
        torch.manual_seed(0)
        strategy = Strategy(make_network(), PATCH, Settings(fewest_cells=1, **settings)).eval()
        strategy.augmented = lambda batch, _: (batch.images[..., 5:37, 5:37], batch.labels[..., 5:37, 5:37])
        strategy.progress = 0.5
        return strategy

    return make


def values(strategy, batch, seed=0):
    return {name: term.item() for name, term in strategy.loss_terms(batch, generator(seed)).items()}


def partial(scores, labels):
    return F.cross_entropy(scores, labels, ignore_index=IGNORE_LABEL)


def test_the_terms_are_those_of_the_formula(make_strategy, scribbles):
    strategy = make_strategy()
    images, labels = scribbles.images[..., 5:37, 5:37], scribbles.labels[..., 5:37, 5:37]

    terms = values(strategy, scribbles)

    random = generator()
    mix = random_mix(images, random, dynamic=True)
    network, second = strategy.network, strategy.second
    p, q = network(images), second(network.encode(images))
    mixed = mix.paste(images, images)
    p_mixed, q_mixed = network(mixed), second(network.encode(mixed))
    y, pseudo = mix.paste(labels, labels), pseudo_labels((p, q), mix)
    apart = F.mse_loss(p.softmax(1), q.softmax(1)) + F.mse_loss(p_mixed.softmax(1), q_mixed.softmax(1))
    expected = {
        "scribbles": partial(p, labels) + 0.4 * partial(q, labels),
        "mixed_scribbles": partial(p_mixed, y) + 0.4 * partial(q_mixed, y),
        "pseudo_labels": F.cross_entropy(p_mixed, pseudo) + 0.4 * F.cross_entropy(q_mixed, pseudo),
        "agreement": math.exp(-5 * 0.25) * apart,
    }
    assert set(terms) == {*expected, "contrast"}
    for name, value in expected.items():
        assert terms[name] == pytest.approx(value.item(), rel=1e-4), name


def test_the_contrast_is_that_of_the_formula_step_by_step(make_strategy, scribbles):
    strategy = make_strategy()
    strategy.loss_terms(scribbles, generator(1))
    memory = copy.deepcopy(strategy.memory)
    images, labels = scribbles.images[..., 5:37, 5:37], scribbles.labels[..., 5:37, 5:37]

    term = values(strategy, scribbles)["contrast"]

    random = generator()
    random_mix(images, random, dynamic=True)  # is drawn before the anchors
    features = strategy.network.encode(images)
    embedded = F.normalize(strategy.embedding(features[3]), dim=1)  # (4, D, 4, 4)
    scores = strategy.network(images), strategy.second(features)
    mean = (scores[0].softmax(1) + scores[1].softmax(1)) / 2
    wanted = on_cells(certain_labels(mean, labels, entropy_limit(0.5)), (4, 4)).flatten(1)
    predicted = on_cells(scores[0].argmax(1), (4, 4)).flatten(1)
    chosen = choose_anchors(wanted, predicted, 3, random, limits=AnchorLimits(fewest=1))
    anchors = embedded.flatten(2).mT[chosen]
    expected = 0.1 * 0.5**0.9 * memory_contrast(anchors, wanted[chosen], memory, temperature=0.07)
    assert chosen.any()
    assert term == pytest.approx(expected.item(), rel=1e-4)
    memory.push(embedded.flatten(2).mT, wanted)
    assert torch.allclose(strategy.memory.rows, memory.rows, atol=1e-6)


@pytest.mark.parametrize("swapped", [False, True])
def test_pseudo_labels_are_a_loop_and_carry_no_gradient(swapped):
    images = torch.zeros(3, 1, 16, 16)
    mix = replace(random_mix(images, generator(), dynamic=False), swapped=swapped)
    first, second = (torch.randn(3, 4, 16, 16, generator=generator(s)).requires_grad_() for s in (1, 2))

    found = pseudo_labels((first, second), mix)

    assert not found.requires_grad
    inside, outside = (second, first) if swapped else (first, second)
    for b in range(3):
        for y in range(16):
            for x in range(16):
                scores = (
                    inside[mix.inside[b], :, y, x]
                    if mix.rectangles[b, y, x]
                    else outside[mix.outside[b], :, y, x]
                )
                assert found[b, y, x] == scores.argmax()


def test_gradients_of_the_pseudo_labels_come_from_the_mixed_slices_alone(make_strategy, scribbles):
    strategy = make_strategy(aux="cnn")
    seen = []
    forward = strategy._scores
    strategy._scores = lambda features: seen.append(forward(features)) or seen[-1]

    term = strategy.loss_terms(scribbles, generator())["pseudo_labels"]

    plain, mixed = seen
    assert torch.autograd.grad(term, plain, retain_graph=True, allow_unused=True) == (None, None)
    assert all(g.any() for g in torch.autograd.grad(term, mixed))


@pytest.mark.parametrize("aux", ["cnn", "swin"])
def test_gradients_reach_the_encoder_both_decoders_and_the_embedding(make_strategy, scribbles, aux):
    strategy = make_strategy(aux=aux).train()
    strategy.loss_terms(scribbles, generator())  # fills the memory

    torch.stack(list(strategy.loss_terms(scribbles, generator()).values())).sum().backward()

    network = strategy.network
    for part in (network.encoder, network.decoder, network.head, strategy.second, strategy.embedding):
        assert any(p.grad.any() for p in part.parameters())
    kinds = {"cnn": ConvolutionalDecoder, "swin": WindowDecoder}
    assert isinstance(strategy.second, kinds[aux])


def test_contrast_alone_teaches_encoder_and_embedding(make_strategy, scribbles):
    strategy = make_strategy()
    strategy.loss_terms(scribbles, generator())

    strategy.loss_terms(scribbles, generator())["contrast"].backward()

    assert strategy.network.encoder.center[0].weight.grad is None  # deeper than the cells
    assert strategy.network.encoder.blocks[3][0].weight.grad.any()
    assert strategy.embedding[0].weight.grad.any()
    assert all(p.grad is None for p in strategy.second.parameters())


def test_contrast_rises_with_training_and_begins_after_a_while(make_strategy, scribbles):
    def at(progress):
        strategy = make_strategy()
        strategy.loss_terms(scribbles, generator())
        assert strategy.memory.filled.any()
        strategy.progress = progress
        return strategy.loss_terms(scribbles, generator())["contrast"].item()

    assert at(0.0) == at(0.016) == 0
    assert at(1.0) > at(0.1) > 0


def test_without_anchors_the_contrast_is_zero(make_strategy, scribbles):
    strategy = make_strategy()
    strategy.progress = 0.02
    nobody = replace(scribbles, labels=torch.full_like(scribbles.labels, IGNORE_LABEL))
    strategy._scores = lambda _: (torch.zeros(4, 3, *PATCH),) * 2  # as uncertain as can be

    terms = strategy.loss_terms(nobody, generator())

    assert terms["contrast"].item() == 0
    assert terms["scribbles"].item() == 0
    assert strategy.memory.filled.tolist() == [0, 0, 0]


def test_the_agreement_rises_over_its_share_of_the_training():
    assert risen(0) == pytest.approx(math.exp(-5))
    assert risen(0.5) == pytest.approx(math.exp(-5 / 4))
    assert risen(1) == risen(3) == 1


@pytest.mark.parametrize(
    ("switch", "gone", "changed"),
    [
        ({"contrast": False}, {"contrast"}, set()),
        ({"het": False}, {"agreement"}, set()),
        ({"mix": "off"}, {"mixed_scribbles", "pseudo_labels"}, {"agreement"}),
        ({"w_het": 2.0}, set(), {"agreement"}),
        ({"lambda_ctr": 0.2}, set(), {"contrast"}),
        ({"lambda_t": 0.5}, set(), {"scribbles", "mixed_scribbles", "pseudo_labels"}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else None,  # sets have no order
)
def test_each_switch_changes_its_terms_alone(make_strategy, scribbles, switch, gone, changed):
    def second_step(**settings):
        strategy = make_strategy(**settings)
        strategy.loss_terms(scribbles, generator(1))
        return values(strategy, scribbles)

    full, ablated = second_step(), second_step(**switch)

    assert set(full) - set(ablated) == gone
    assert {name for name in ablated if ablated[name] != full[name]} == changed


def test_static_mixing_never_exchanges_the_decoders(make_strategy, scribbles, monkeypatch):
    asked = []

    def watched(images, generator, *, dynamic):
        asked.append(dynamic)
        return random_mix(images, generator, dynamic=dynamic)

    monkeypatch.setattr("ContrastiveSegLib.finetuning.pclmix.random_mix", watched)
    for mix in ("static", "dynamic"):
        make_strategy(mix=mix).loss_terms(scribbles, generator())

    assert asked == [False, True]


def test_the_second_step_depends_on_seed_and_memory_alone(make_strategy, scribbles):
    def two_steps(seed):
        strategy = make_strategy()
        strategy.loss_terms(scribbles, generator(seed))
        return values(strategy, scribbles, seed + 1)

    assert two_steps(1) == two_steps(1)
    assert two_steps(1) != two_steps(2)


def test_the_memory_is_saved_and_resumed(make_strategy, scribbles):
    strategy, resumed = make_strategy(), make_strategy()
    strategy.loss_terms(scribbles, generator())

    resumed.load_state_dict(strategy.state_dict())

    assert strategy.memory.filled.sum() > 0
    assert values(resumed, scribbles) == values(strategy, scribbles)


def test_blocks_are_refused_with_what_to_use_instead(make_network):
    with pytest.raises(BadSetting, match=r"blocks of 16 x 32 x 32\. Choose --spatial-dims 2, or .*dmpls"):
        Strategy(make_network(spatial_dims=3), (16, 32, 32), Settings())


def test_mixed_precision_does_not_reach_the_losses(make_strategy, scribbles):
    strategy = make_strategy()
    strategy.loss_terms(scribbles, generator())

    with torch.autocast("cpu", torch.bfloat16):
        terms = strategy.loss_terms(scribbles, generator())

    assert {term.dtype for term in terms.values()} == {torch.float32}
