"""dual_ssl: both modules against slow loops, each switch, slices and blocks, every network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Generator

from ContrastiveSegLib.finetuning import supervised
from ContrastiveSegLib.finetuning._structure import structure_cells
from ContrastiveSegLib.finetuning.dual_ssl import (
    Settings,
    Strategy,
    contrasted_level,
    restoration_error,
)
from ContrastiveSegLib.networks.backbone import network_class, network_names, pools_for
from ContrastiveSegLib.training.batches import Batch

PATCH = (64, 64)
OFF = {"contrast": False, "restoration": False}


def a_batch(*shape: int) -> Batch:
    """A large organ with a smaller one in it, the two brightest gray values, and a margin."""
    labels = torch.zeros(2, *shape[:-2], *(int(1.3 * n) + 1 for n in shape[-2:]), dtype=torch.int64)
    labels[..., 22:62, 22:62] = 1
    labels[..., 34:52, 30:50] = 2
    images = labels[:, None] * 0.3 + 0.2
    return Batch(images, slice_positions=torch.ones(2), cases=torch.arange(2), labels=labels)


def a_generator() -> Generator:
    return Generator().manual_seed(1)


@pytest.fixture
def make_strategy(make_network):
    """A maker of strategies in the middle of training: `make_strategy(contrast=False, ...)`."""

    def make(network: str = "unet", patch: tuple[int, ...] = PATCH, **settings) -> Strategy:
        width = 12 if network.startswith("swin_unetr") else 4
        strategy = Strategy(
            make_network(
                network,
                spatial_dims=len(patch),
                base_channels=width,
                pools=pools_for(patch) if len(patch) == 3 else None,
            ),
            patch,
            Settings(**settings),
        )
        strategy.progress = 0.5
        return strategy

    return make


def test_with_both_modules_off_it_is_supervised(make_strategy, make_network):
    strategy = make_strategy(**OFF)
    base = supervised.Strategy(make_network(), PATCH, supervised.Settings())

    terms, expected = (s.loss_terms(a_batch(*PATCH), a_generator()) for s in (strategy, base))

    assert {name: term.item() for name, term in terms.items()} == {
        name: term.item() for name, term in expected.items()
    }
    assert len(list(strategy.parameters())) == len(list(base.parameters()))


def test_each_switch_adds_its_terms(make_strategy):
    def names(**settings: bool) -> set[str]:
        return set(make_strategy(**{**OFF, **settings}).loss_terms(a_batch(*PATCH), a_generator()))

    assert names() == {"dice_ce"}
    assert names(contrast=True) == {"dice_ce", "contrast"}
    assert names(restoration=True) == {"dice_ce", "restoration", "dice_ce_corrupted"}
    assert names(random_convolution=True) == {"dice_ce", "consistency"}


def test_the_contrast_is_a_tenth_of_nt_xent_on_projected_cells(make_strategy, monkeypatch):
    strategy = make_strategy(restoration=False)
    seen = []
    name = "ContrastiveSegLib.finetuning.dual_ssl.labeled_pairs_loss"
    monkeypatch.setattr(
        name, lambda rows, labels, **how: seen.append((rows, labels, how)) or rows.sum() * 0 + 3
    )

    term = strategy.loss_terms(a_batch(*PATCH), a_generator())["contrast"]

    ((rows, labels, how),) = seen
    assert term.item() == pytest.approx(0.3)
    assert how == {"temperature": 0.05}
    assert set(labels.tolist()) == {0, 1, 2}
    assert rows.shape == (len(labels), 32)
    assert (rows >= 0).all()


def test_restoration_weighs_what_was_corrupted_ten_times():
    restored, images = torch.rand(2, 2, 3, 4, 5), torch.rand(2, 2, 3, 4, 5) * 1.4 - 0.2
    mask = torch.rand(2, 3, 4, 5) < 0.3

    error = restoration_error(restored, images, mask)

    inside, outside = [], []
    for i in np.ndindex(2, 3, 4, 5):
        pixel = (i[0], slice(None), *i[1:])
        wanted = images[pixel].clamp(0, 1)
        (inside if mask[i] else outside).append(((restored[pixel] - wanted) ** 2).mean().item())
    assert error.item() == pytest.approx(np.mean(inside) + 0.1 * np.mean(outside), rel=1e-4)


def test_nothing_corrupted_leaves_the_intact_part():
    restored, images = torch.full((1, 1, 4, 4), 0.7), torch.full((1, 1, 4, 4), 0.2)

    assert restoration_error(restored, images, torch.zeros(1, 4, 4).bool()).item() == pytest.approx(0.025)


def test_restoration_teaches_encoder_and_decoder(make_strategy):
    strategy = make_strategy(contrast=False)

    strategy.loss_terms(a_batch(*PATCH), a_generator())["restoration"].backward()

    for part in (strategy.network.encoder, strategy.network.decoder, strategy.restore):
        assert sum(p.grad.abs().sum() for p in part.parameters()) > 0


def test_the_network_is_believed_after_a_fifteenth_of_the_training(make_strategy, monkeypatch):
    strategy = make_strategy(contrast=False)
    calibrated_evidence = []
    monkeypatch.setattr(
        "ContrastiveSegLib.finetuning.dual_ssl.uncertain_region",
        lambda labels, _, *, entropy, reach: calibrated_evidence.append((entropy, reach)) or labels > 0,
    )

    for progress in (0.0, 0.06, 0.07):
        strategy.progress = progress
        strategy.loss_terms(a_batch(*PATCH), a_generator())

    assert calibrated_evidence == [(False, 1.0), (False, 1.0), (True, 1.0)]


@pytest.mark.parametrize(
    ("patch", "level"),
    [((128, 128), 2), ((160, 192), 3), ((32, 64, 64), 2), ((64, 320, 368), 3), ((32, 32), 2)],
)
def test_stride_eight_needs_twenty_cells(make_network, patch, level):
    assert contrasted_level(make_network(spatial_dims=len(patch)), patch) == level


@pytest.mark.parametrize(
    ("name", "patch"),
    [
        (name, patch)
        for name in network_names()
        for patch in (PATCH, (16, 64, 64))
        # Swin UNETR would need blocks of 64 slices.
        if len(patch) in network_class(name).dims and not (name.startswith("swin_unetr") and len(patch) == 3)
    ],
)
def test_every_network_learns_with_both_modules(make_strategy, name, patch):
    strategy = make_strategy(name, patch)

    terms = strategy.loss_terms(a_batch(*patch), a_generator())
    torch.stack(list(terms.values())).sum().backward()

    assert set(terms) == {"dice_ce", "contrast", "restoration", "dice_ce_corrupted"}
    assert all(term.isfinite() and term > 0 for term in terms.values())
    assert all(p.grad is None or p.grad.isfinite().all() for p in strategy.parameters())
    assert strategy.projection.weight.grad.abs().sum() > 0


def test_the_network_is_not_asked_about_voxels_that_are_not_annotated(make_strategy, monkeypatch):
    strategy, batch = make_strategy(restoration=False), a_batch(*PATCH)
    batch.labels[:, :, 42:] = -1
    chosen = []
    draw = structure_cells
    monkeypatch.setattr(
        "ContrastiveSegLib.finetuning.dual_ssl.structure_cells",
        lambda labels, *a, **b: chosen.append((labels, draw(labels, *a, **b))) or chosen[-1][1],
    )

    terms = strategy.loss_terms(batch, a_generator())
    torch.stack(list(terms.values())).sum().backward()

    ((labels, cells),) = chosen
    assert (labels == -1).any()
    assert torch.equal(labels[:, ::4, ::4].flatten(1)[cells.images, cells.places], cells.classes)
    assert all(p.grad.isfinite().all() for p in strategy.parameters())


def test_mixed_precision_changes_no_term_much(make_strategy):
    strategy = make_strategy(random_convolution=True)
    strategy.progress = 0.0  # corrupts along borders alone; later rounding would choose where

    def terms_of_some_batches() -> dict[str, torch.Tensor]:
        batches = [strategy.loss_terms(a_batch(*PATCH), Generator().manual_seed(seed)) for seed in range(6)]
        return {name: torch.stack([terms[name] for terms in batches]) for name in batches[0]}

    exact = terms_of_some_batches()
    with torch.autocast("cpu", torch.bfloat16):
        mixed = terms_of_some_batches()

    assert {name: terms.dtype for name, terms in mixed.items()} == dict.fromkeys(exact, torch.float32)
    for name in exact:
        assert mixed[name].mean().item() == pytest.approx(exact[name].mean().item(), rel=0.2), name


def test_a_batch_without_structures_gives_finite_gradients(make_strategy):
    strategy, batch = make_strategy(), a_batch(*PATCH)
    empty = Batch(batch.images, batch.slice_positions, batch.cases, torch.zeros_like(batch.labels))

    terms = strategy.loss_terms(empty, a_generator())
    torch.stack(list(terms.values())).sum().backward()

    assert terms["contrast"].item() == 0
    assert all(p.grad is not None and p.grad.isfinite().all() for p in strategy.parameters())


def test_a_few_steps_learn_to_segment_restore_and_tell_apart(make_strategy):
    strategy = make_strategy()
    strategy.progress = 0.0  # corrupts along borders alone, so that the same is corrupted before and after
    optimizer = torch.optim.AdamW(strategy.parameters(), lr=1e-2)

    @torch.no_grad()
    def judged() -> dict[str, float]:
        batches = [strategy.loss_terms(a_batch(*PATCH), Generator().manual_seed(100 + n)) for n in range(4)]
        return {name: torch.stack([terms[name] for terms in batches]).mean().item() for name in batches[0]}

    before = judged()
    for step in range(30):
        terms = strategy.loss_terms(a_batch(*PATCH), Generator().manual_seed(step))
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
    after = judged()

    for name in ("dice_ce", "restoration", "contrast"):
        assert after[name] < 0.9 * before[name], name
