"""What all pre-training methods promise, asked of every file in the folder with every network."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable

import pytest
import torch
from torch import Generator, nn

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.networks.backbone import network_names, pools_for
from ContrastiveSegLib.networks.weights import is_of
from ContrastiveSegLib.pretraining._method import PretrainingMethod, load_method
from ContrastiveSegLib.runs.method_catalog import list_methods
from ContrastiveSegLib.runs.rules import Range, rules_of
from ContrastiveSegLib.runs.settings import from_dict
from ContrastiveSegLib.training.batches import Batch

ENTRIES = {entry.name: entry for entry in list_methods() if entry.kind == "pretraining"}
IMAGES = 4
PATCH = {2: (32, 32), 3: (16, 32, 32)}


@pytest.fixture(params=sorted(ENTRIES))
def a_name(request) -> str:
    return request.param


@pytest.fixture
def make_method(make_network) -> Callable[..., PretrainingMethod]:
    def make(name: str, network: str = "unet", *, channels: int = 1, dims: int = 2) -> PretrainingMethod:
        pools = pools_for(PATCH[dims])
        backbone = make_network(network, in_channels=channels, spatial_dims=dims, pools=pools)
        module = load_method(name)
        torch.manual_seed(0)
        return module.Method(backbone, module.Settings())

    return make


def a_batch(*, channels: int = 1, dims: int = 2) -> Batch:
    """Different images at different heights: bright blocks that grow and wander."""
    images = torch.rand(IMAGES, channels, *PATCH[dims], generator=Generator().manual_seed(0)) * 0.2
    for n in range(IMAGES):
        images[n, ..., 2 + 5 * n : 12 + 4 * n, 4 : 10 + 6 * n] += 0.2 + 0.15 * n
    return Batch(images, heights=torch.linspace(0.1, 1, IMAGES), cases=torch.arange(IMAGES) // 2)


def terms_of(method: PretrainingMethod, batch: Batch, seed: int = 1) -> dict[str, torch.Tensor]:
    return method.loss_terms(batch, Generator().manual_seed(seed))


@pytest.mark.parametrize("dims", [2, 3], ids=["2D", "3D"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("network", network_names())
def test_terms_are_finite_and_gradients_reach_what_is_trained_and_nothing_else(
    a_name, network, channels, dims, make_method
):
    method = make_method(a_name, network, channels=channels, dims=dims)

    terms = terms_of(method, a_batch(channels=channels, dims=dims))

    assert terms
    assert all(term.ndim == 0 and term.isfinite() for term in terms.values())
    torch.stack(list(terms.values())).sum().backward()
    assert parts_with_gradient(method) == expected_parts(method)


def expected_parts(method: PretrainingMethod) -> set[str]:
    """The parts of the network that travel, and everything the method adds to the network."""
    names = [name for name, _ in method.named_parameters()]
    inside = {
        n for n in names if n.startswith("network.") and is_of(n.removeprefix("network."), method.trains)
    }
    return {part_of(name) for name in inside | {n for n in names if not n.startswith("network.")}}


def parts_with_gradient(method: nn.Module) -> set[str]:
    learning = (n for n, p in method.named_parameters() if p.grad is not None and p.grad.any())
    return {part_of(name) for name in learning}


def part_of(name: str) -> str:
    """`network.decoder.0.up.weight` is of `network.decoder.0`, `projector.layers.0.bias` of `projector`."""
    words = name.split(".")
    return ".".join(words[: 3 if "decoder" in words else 2 if words[0] == "network" else 1])


def test_every_parameter_that_is_trained_gets_a_gradient(a_name, make_method):
    method = make_method(a_name)

    sum(terms_of(method, a_batch()).values()).backward()

    unused = [n for n, p in method.named_parameters() if p.grad is None]
    assert all(
        n.startswith("network.") and not is_of(n.removeprefix("network."), method.trains) for n in unused
    )


def test_a_seed_repeats_and_another_differs(a_name, make_method):
    first, again, other = (terms_of(make_method(a_name), a_batch(), seed) for seed in (1, 1, 2))

    assert {name: term.item() for name, term in first.items()} == {n: t.item() for n, t in again.items()}
    assert any(first[name].item() != other[name].item() for name in first)


def test_mixed_precision_keeps_terms_in_float32(a_name, make_method):
    exact = terms_of(make_method(a_name), a_batch())

    with torch.autocast("cpu", torch.bfloat16):
        mixed = terms_of(make_method(a_name), a_batch())

    for name, term in mixed.items():
        assert term.dtype == torch.float32
        assert term.item() == pytest.approx(exact[name].item(), rel=0.1)


def test_the_loss_starts_off_its_collapse_value(a_name, make_method):
    method = make_method(a_name)
    collapse = method.collapse_value(IMAGES)
    if collapse is None:
        pytest.skip("this method knows no collapse value")

    loss = next(iter(terms_of(method, a_batch()).values())).item()

    assert abs(loss / collapse - 1) > 0.01


def test_equal_features_give_the_collapse_value(a_name, make_method, monkeypatch):
    method = make_method(a_name)
    collapse = method.collapse_value(IMAGES)
    if collapse is None:
        pytest.skip("this method knows no collapse value")

    encode = method.network.encode
    monkeypatch.setattr(method.network, "encode", lambda x: [torch.ones_like(level) for level in encode(x)])
    loss = next(iter(terms_of(method, a_batch()).values())).item()

    assert loss == pytest.approx(collapse, rel=1e-4)


def test_a_few_steps_lower_the_loss(a_name, make_method):
    method = make_method(a_name)
    optimizer = torch.optim.AdamW(method.parameters(), lr=3e-3)

    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        total = torch.stack(list(terms_of(method, a_batch()).values())).sum()
        total.backward()
        optimizer.step()
        losses.append(total.item())

    assert losses[-1] < 0.8 * losses[0]


def test_the_images_of_the_batch_are_left_as_they_were(a_name, make_method):
    batch = a_batch()
    before = batch.images.clone()

    terms_of(make_method(a_name), batch)

    assert torch.equal(batch.images, before)


def test_the_catalog_agrees_with_the_class(a_name):
    entry, module = ENTRIES[a_name], load_method(a_name)

    assert entry.caption == inspect.getdoc(module).splitlines()[0]
    rules = rules_of(module.Settings)
    assert [field.name for field in entry.fields] == [f.name for f in dataclasses.fields(module.Settings)]
    assert from_dict(module.Settings, {f.name: f.default for f in entry.fields}) == module.Settings()
    for field in entry.fields:
        allowed = rules[field.name].marked(Range)
        assert (field.low, field.high) == ((allowed.low, allowed.high) if allowed else (None, None))
        assert field.choices == rules[field.name].choices
        assert len(field.help) > 20


def test_the_parts_that_a_method_trains_are_there(a_name, make_method):
    method = make_method(a_name)

    names = list(method.network.state_dict())
    assert all(any(is_of(name, (part,)) for name in names) for part in method.trains)


def test_an_unknown_method_is_refused_with_the_names_there_are():
    with pytest.raises(BadSetting, match=r'no pre-training method "macl9"\. Choose one of: .*pcl.*simclr'):
        load_method("macl9")
