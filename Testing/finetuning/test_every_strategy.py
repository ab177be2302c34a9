"""What all fine-tuning strategies promise."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.finetuning._strategy import FinetuningStrategy, load_strategy
from ContrastiveSegLib.settings.method_catalog import list_methods, strategies_with_scans
from ContrastiveSegLib.settings.schema import from_dict

PATCH = (32, 32)
ENTRIES = {entry.name: entry for entry in list_methods() if entry.kind == "finetuning"}


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
    learned = [(n, p) for n, p in strategy.named_parameters() if p.requires_grad]
    assert [n for n, p in learned if p.grad is None] == []


def test_the_catalog_agrees_with_every_strategy(a_name):
    module, entry = load_strategy(a_name), ENTRIES[a_name]

    settings = from_dict(module.Settings, {field.name: field.default for field in entry.fields})

    assert settings == module.Settings()
    assert all(field.help for field in entry.fields)


def test_an_unknown_strategy_is_refused_with_the_names_there_are():
    with pytest.raises(BadSetting, match=r"no fine-tuning strategy 'magic'\. Choose from: .*supervised"):
        load_strategy("magic")


def test_the_strategies_that_learn_from_scans_are_those_whose_class_says_so():
    """The panel asks the files, because it cannot import the classes."""
    learn = sorted(name for name in ENTRIES if load_strategy(name).Strategy.two_streams)

    assert sorted(strategies_with_scans()) == learn
    assert "self_training" in learn
