"""Supervised fine-tuning: Dice plus cross-entropy on patches whose labels move with them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.finetuning._strategy import FinetuningStrategy, load_strategy
from ContrastiveSegLib.finetuning.supervised import Settings, Strategy
from ContrastiveSegLib.runs.method_catalog import list_methods
from ContrastiveSegLib.runs.settings import from_dict
from ContrastiveSegLib.training.batches import Batch

PATCH = (32, 32)
ENTRIES = {entry.name: entry for entry in list_methods() if entry.kind == "finetuning"}


@pytest.fixture
def a_strategy(a_network) -> Strategy:
    return Strategy(a_network, PATCH, Settings())


@pytest.fixture
def a_batch() -> Batch:
    """Two structures, which are the two brightest gray values, with a margin around the patch."""
    labels = torch.zeros(4, 42, 42, dtype=torch.int64)
    labels[:, 8:24, 8:26] = 1
    labels[:2, 28:38, 20:36] = 2
    images = labels[:, None] * 0.4 + 0.1
    return Batch(images, heights=torch.ones(4), cases=torch.arange(4), labels=labels)


def cut(batch: Batch, _: Generator) -> tuple[Tensor, Tensor]:
    """The middle of each image, unchanged."""
    return batch.images[..., 5:37, 5:37], batch.labels[..., 5:37, 5:37]


def slow_loss(scores: np.ndarray, labels: np.ndarray) -> float:
    """Dice over the batch plus cross-entropy, of scores (B, 3, H, W) and labels (B, H, W)."""
    chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    truth = np.eye(3)[labels].transpose(0, 3, 1, 2)
    cross_entropy = -np.log((chances * truth).sum(1)).mean()
    dice = [
        2 * (chances[:, c] * truth[:, c]).sum() / (chances[:, c].sum() + truth[:, c].sum()) for c in (1, 2)
    ]
    return float(1 - np.mean(dice) + cross_entropy)


def test_the_loss_is_dice_over_the_batch_plus_cross_entropy(a_strategy, a_batch, monkeypatch):
    monkeypatch.setattr(a_strategy, "augmented", cut)
    a_strategy.eval()

    terms = a_strategy.loss_terms(a_batch, Generator())

    images, labels = cut(a_batch, Generator())
    scores = a_strategy.network(images).detach().double().numpy()
    assert list(terms) == ["dice_ce"]
    assert terms["dice_ce"].item() == pytest.approx(slow_loss(scores, labels.numpy()), rel=1e-4)


def test_one_map_of_scores_is_taught_exactly_by_its_own_loss(a_strategy, a_batch, monkeypatch):
    monkeypatch.setattr(a_strategy, "augmented", cut)
    images, labels = cut(a_batch, Generator())

    taught = a_strategy.loss_terms(a_batch, Generator())["dice_ce"]
    taught.backward()
    gradients = [p.grad.clone() for p in a_strategy.parameters()]
    a_strategy.zero_grad()
    alone = a_strategy.loss(a_strategy.network(images), labels[:, None])
    alone.backward()

    assert torch.equal(taught, alone)
    assert all(torch.equal(g, p.grad) for g, p in zip(gradients, a_strategy.parameters(), strict=True))


def test_deep_supervision_halves_the_weight_with_every_coarser_map(make_network, a_batch, monkeypatch):
    strategy = Strategy(make_network("dynunet"), PATCH, Settings())
    monkeypatch.setattr(strategy, "augmented", cut)

    taught = strategy.loss_terms(a_batch, Generator())["dice_ce"].item()

    images, labels = cut(a_batch, Generator())
    maps = [scores.detach().double().numpy() for scores in strategy.network.training_scores(images)]
    truth = labels.numpy()
    # Of two positions the second lies as near as the first, of four the third as near as the second.
    truths = [truth, truth[:, 1::2, 1::2], truth[:, 2::4, 2::4]]
    fine, coarse, coarsest = (slow_loss(s, t) for s, t in zip(maps, truths, strict=True))
    assert taught == pytest.approx(4 / 7 * fine + 2 / 7 * coarse + 1 / 7 * coarsest, rel=1e-4)


def test_coarse_labels_of_blocks_are_taken_along_every_shrunken_axis(make_network, monkeypatch):
    strategy = Strategy(
        make_network("dynunet", spatial_dims=3, pools=((1, 2, 2), (2, 2, 2), (1, 2, 2), (1, 2, 2))),
        (4, *PATCH),
        Settings(),
    )
    labels = torch.randint(0, 3, (2, 4, *PATCH), generator=Generator().manual_seed(0))
    monkeypatch.setattr(strategy, "augmented", lambda batch, _: (batch.images, batch.labels))
    seen = []
    monkeypatch.setattr(strategy.loss, "forward", lambda scores, truth: seen.append(truth) or scores.mean())

    strategy.loss_terms(Batch(labels[:, None].float(), torch.ones(2), torch.arange(2), labels), Generator())

    expected = [labels, labels[:, :, 1::2, 1::2], labels[:, 1::2, 2::4, 2::4]]
    assert all(torch.equal(s[:, 0], e) for s, e in zip(seen, expected, strict=True))


def test_labels_move_with_their_images(a_strategy, a_batch, monkeypatch):
    monkeypatch.setattr("ContrastiveSegLib.finetuning.supervised.recolor", lambda images, *_: images)

    images, labels = a_strategy.augmented(a_batch, Generator().manual_seed(0))

    assert images.shape == (4, 1, *PATCH)
    assert labels.shape == (4, *PATCH)
    assert labels.dtype == torch.int64
    expected = (images[:, 0] * 2.5 - 0.25).round().clamp(min=0).long()
    assert (expected == labels).float().mean() > 0.93  # they may differ where a border runs through a pixel
    moved = (labels != a_batch.labels[:, 5:37, 5:37]).flatten(1).any(1)
    assert moved.all()


def test_blocks_are_augmented_in_plane(make_network):
    strategy = Strategy(make_network(spatial_dims=3), (4, *PATCH), Settings())
    labels = torch.arange(1, 5).view(1, 4, 1, 1).expand(2, 4, 42, 42).contiguous()
    batch = Batch(labels[:, None] / 4, torch.ones(2), torch.arange(2), labels)

    images, moved = strategy.augmented(batch, Generator().manual_seed(0))

    assert images.shape == (2, 1, 4, *PATCH)
    assert moved.shape == (2, 4, *PATCH)
    for k in range(4):
        assert set(moved[:, k, 8:24, 8:24].unique().tolist()) == {k + 1}


def test_without_mirroring_left_stays_left(a_network):
    halves = torch.zeros(64, 42, 42, dtype=torch.int64)
    halves[:, :, :21] = 1
    batch = Batch(halves[:, None].float(), torch.ones(64), torch.arange(64), halves)

    def share_on_the_left(*, mirror: bool) -> Tensor:
        strategy = Strategy(a_network, PATCH, Settings(rotation=0, mirror=mirror))
        _, labels = strategy.augmented(batch, Generator().manual_seed(0))
        return labels[:, :, :6].float().mean(dim=(1, 2))

    assert share_on_the_left(mirror=False).min() > 0.5
    assert share_on_the_left(mirror=True).min() < 0.1


def test_the_rotation_is_limited_by_its_setting(a_network):
    strategy = Strategy(a_network, PATCH, Settings(rotation=90))

    assert strategy.movement.rotation == pytest.approx(np.pi / 2)


def test_a_patch_without_any_structure_gives_a_finite_loss(a_strategy, a_batch):
    batch = Batch(a_batch.images, a_batch.heights, a_batch.cases, torch.zeros_like(a_batch.labels))

    loss = a_strategy.loss_terms(batch, Generator().manual_seed(0))["dice_ce"]

    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in a_strategy.parameters())


def test_a_batch_without_labels_is_refused(a_strategy, a_batch):
    with pytest.raises(ValueError, match="needs a batch with labels"):
        a_strategy.loss_terms(Batch(a_batch.images, a_batch.heights, a_batch.cases), Generator())


def test_a_few_steps_learn_the_structures(a_strategy, a_batch):
    optimizer = torch.optim.AdamW(a_strategy.parameters(), lr=1e-2)

    losses = []
    for step in range(25):
        loss = a_strategy.loss_terms(a_batch, Generator().manual_seed(step))["dice_ce"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    assert np.mean(losses[-3:]) < 0.6 * np.mean(losses[:3])


@pytest.fixture(params=sorted(ENTRIES))
def a_name(request) -> str:
    return request.param


def test_every_strategy_reaches_every_parameter_and_repeats_with_its_seed(a_name, a_batch, make_network):
    def strategy_and_terms(seed: int) -> tuple[FinetuningStrategy, dict[str, Tensor]]:
        module = load_strategy(a_name)
        torch.manual_seed(0)
        strategy = module.Strategy(make_network(), PATCH, module.Settings())
        return strategy, strategy.loss_terms(a_batch, Generator().manual_seed(seed))

    (strategy, first), (_, again), (_, other) = (strategy_and_terms(seed) for seed in (1, 1, 2))

    assert all(term.ndim == 0 and term.isfinite() for term in first.values())
    assert {n: t.item() for n, t in first.items()} == {n: t.item() for n, t in again.items()}
    assert any(first[name].item() != other[name].item() for name in first)
    torch.stack(list(first.values())).sum().backward()
    assert [n for n, p in strategy.named_parameters() if p.grad is None] == []


def test_the_catalog_agrees_with_every_strategy(a_name):
    module, entry = load_strategy(a_name), ENTRIES[a_name]

    settings = from_dict(module.Settings, {field.name: field.default for field in entry.fields})

    assert settings == module.Settings()
    assert all(field.help for field in entry.fields)


def test_an_unknown_strategy_is_refused_with_the_names_there_are():
    with pytest.raises(BadSetting, match=r'no fine-tuning strategy "magic"\. Choose one of: .*supervised'):
        load_strategy("magic")
