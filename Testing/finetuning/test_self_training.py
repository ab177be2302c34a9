"""Self-training: what was drawn and what was predicted are two terms, each of its own half of the batch."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Generator

from ContrastiveSegLib.finetuning import supervised
from ContrastiveSegLib.finetuning.self_training import Settings, Strategy
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL

PATCH = (32, 32)


def strategy(make_network, **settings) -> Strategy:
    learner = Strategy(make_network(), PATCH, Settings(**settings))
    learner.eval()  # the halves must not meet in a batch norm
    return learner


def halved(batch):
    return replace(batch, unannotated=torch.tensor([False, False, True, True]))


def terms_of(learner, batch) -> dict[str, float]:
    return {n: t.item() for n, t in learner.loss_terms(batch, Generator().manual_seed(0)).items()}


def test_without_predicted_labels_it_is_supervised(make_network, a_batch):
    plain = supervised.Strategy(make_network(), PATCH, supervised.Settings())
    plain.eval()

    assert terms_of(strategy(make_network), a_batch) == terms_of(plain, a_batch)


def test_predicted_labels_are_a_term_with_a_weight(make_network, a_batch):
    half, full = (terms_of(strategy(make_network, pseudo_weight=w), halved(a_batch)) for w in (0.5, 1.0))

    assert set(half) == {"dice_ce", "pseudo_labels"}
    assert half["dice_ce"] == full["dice_ce"]
    assert half["pseudo_labels"] == pytest.approx(0.5 * full["pseudo_labels"])


def test_what_was_drawn_does_not_feel_the_predicted_labels(make_network, a_batch):
    other = halved(replace(a_batch, labels=a_batch.labels.clone()))
    other.labels[2:] = IGNORE_LABEL

    here, there = (terms_of(strategy(make_network), batch) for batch in (halved(a_batch), other))

    assert here["dice_ce"] == there["dice_ce"]
    assert here["pseudo_labels"] != there["pseudo_labels"]


def test_later_rounds_trust_more_of_what_was_predicted(make_network):
    learner = strategy(make_network, unknown_first=0.5, unknown_later=0.2, rounds=3)

    assert [learner.unknown(number) for number in (1, 2, 3)] == [0.5, 0.2, 0.2]
    assert learner.rounds == 3
    assert learner.two_streams
