"""What all pre-training methods promise, asked of every file in the folder with every network."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Generator, nn

from ContrastiveSegLib.contrast.clusters import Teacher
from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.networks.backbone import fitting_patch, network_class, network_names, pools_for
from ContrastiveSegLib.networks.momentum_encoder import Queue
from ContrastiveSegLib.networks.weights import is_of
from ContrastiveSegLib.pretraining._method import PretrainingMethod, load_method
from ContrastiveSegLib.settings.method_catalog import list_methods
from ContrastiveSegLib.settings.rules import Range, rules_of
from ContrastiveSegLib.settings.schema import from_dict
from ContrastiveSegLib.training.batches import Batch

ENTRIES = {entry.name: entry for entry in list_methods() if entry.kind == "pretraining"}
IMAGES = 4
PATCH = {2: (32, 32), 3: (16, 32, 32)}
LARGEST = 64 * 64  # pixels of patches of which there are `IMAGES`; of larger ones there are fewer

# Where the defaults serve thousands of images: heads and queues of which a test needs only a corner.
SMALL = {
    "byol": {"hidden": 64},
    "densecl": {"queue": 64},
    "desd": {"outputs": 64},
    "dira": {"queue": 64},
    "moco": {"queue": 64},
    "swav": {"prototypes": 32},
}


@pytest.fixture(params=sorted(ENTRIES))
def a_name(request) -> str:
    return request.param


@pytest.fixture
def make_method(make_network) -> Callable[..., PretrainingMethod]:
    def make(name: str, network: str = "unet", *, channels: int = 1, dims: int = 2) -> PretrainingMethod:
        pools = pools_for((64, 64, 64) if is_slow(network, dims) else PATCH[dims])
        backbone = make_network(network, in_channels=channels, spatial_dims=dims, pools=pools)
        module = load_method(name)
        torch.manual_seed(0)
        return module.Method(backbone, module.Settings(**SMALL.get(name, {})))

    return make


def a_batch(method: PretrainingMethod) -> Batch:
    """Different images at different slice positions: blocks that grow and wander; regions are quarters."""
    side = smallest_side(method)
    size = patch_of(method, side)
    count = IMAGES if math.prod(size) <= LARGEST else max(2, method.smallest_batch)
    images = torch.rand(count, method.network.in_channels, *size, generator=Generator().manual_seed(0)) * 0.2
    for n in range(count):
        images[n, ..., 2 + 5 * n : 12 + 4 * n, 4 : 10 + 6 * n] += 0.2 + 0.15 * n
    half = (torch.arange(side) >= side // 2).long()
    quarters = 1 + 2 * half[:, None] + half
    companions = [
        images.roll(n + 1, 0).flip(-1) for n in range(method.partners.count if method.partners else 0)
    ]
    return Batch(
        images,
        slice_positions=torch.linspace(0.1, 1, count),
        cases=torch.arange(count) // 2,
        regions=quarters.expand(count, *size),
        partners=torch.stack(companions) if companions else None,
    )


def terms_of(method: PretrainingMethod, batch: Batch | None = None, seed: int = 1) -> dict[str, torch.Tensor]:
    method.progress = 0.5
    return method.loss_terms(batch or a_batch(method), Generator().manual_seed(seed))


def combinations() -> list[Any]:
    """Every method on every network, in the dimensions that both know."""
    return [
        pytest.param(method, network, dims, marks=[pytest.mark.slow] if is_slow(network, dims) else [])
        for method in sorted(ENTRIES)
        for network in network_names()
        for dims in (2, 3)
        if dims in load_method(method).Method.dims and dims in network_class(network).dims
        if not is_slow(network, dims) or (method == "simclr" and (network, dims) != ("swin_unetr_v2", 3))
    ]


def is_slow(network: str, dims: int) -> bool:
    """Window attention in blocks of 64 x 64 x 64, its smallest, takes a minute; one method is enough.

    The second version only adds convolutions to the encoder.
    """
    return (network, dims) == ("swin_unetr", 3) or network == "swin_unetr_v2"


def smallest_side(method: PretrainingMethod) -> int:
    """The side of the smallest patch that a method can shrink as often as it must."""
    return next(side for side in (32, 64, 128, 256) if fits(method, side))


def patch_of(method: PretrainingMethod, side: int) -> tuple[int, ...]:
    stride = method.network.stride
    slices = max(16, side * stride[0] // stride[-1])
    return (side, side) if len(stride) == 2 else (slices, side, side)


def fits(method: PretrainingMethod, side: int) -> bool:
    patch = patch_of(method, side)
    return fitting_patch(method.network, patch, shrunk=method.shrunk()) == patch


@pytest.mark.parametrize(("name", "network", "dims"), combinations())
def test_terms_are_finite_and_gradients_reach_what_is_trained_and_nothing_else(
    name, network, dims, make_method
):
    method = make_method(name, network, dims=dims)

    terms = terms_of(method)

    assert terms
    assert all(term.ndim == 0 and term.isfinite() for term in terms.values())
    torch.stack(list(terms.values())).sum().backward()
    assert parts_with_gradient(method) == expected_parts(method)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_images_of_several_channels_are_taken(a_name, channels, make_method):
    method = make_method(a_name, channels=channels)

    terms = terms_of(method)

    assert all(term.isfinite() for term in terms.values())


def expected_parts(method: PretrainingMethod) -> set[str]:
    """The parts of the network that travel, and everything the method adds to the network."""
    names = [name for name, parameter in method.named_parameters() if parameter.requires_grad]
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

    sum(terms_of(method).values()).backward()

    unused = [n for n, p in method.named_parameters() if p.requires_grad and p.grad is None]
    assert all(
        n.startswith("network.") and not is_of(n.removeprefix("network."), method.trains) for n in unused
    )


def test_a_seed_repeats_and_another_differs(a_name, make_method):
    first, again, other = (terms_of(make_method(a_name), seed=seed) for seed in (1, 1, 2))

    assert {name: term.item() for name, term in first.items()} == {n: t.item() for n, t in again.items()}
    draws_views = a_name != "polycl"  # its views are other slices, which the sampler draws
    assert any(first[name].item() != other[name].item() for name in first) == draws_views


def test_mixed_precision_keeps_terms_in_float32(a_name, make_method):
    exact = terms_of(make_method(a_name))

    with torch.autocast("cpu", torch.bfloat16):
        mixed = terms_of(make_method(a_name))

    for name, term in mixed.items():
        assert term.dtype == torch.float32
        assert term.item() == pytest.approx(exact[name].item(), rel=0.1)


def test_the_loss_starts_off_its_collapse_value(a_name, make_method):
    method = make_method(a_name)
    collapse = method.collapse_value(IMAGES)
    if collapse is None:
        pytest.skip("this method knows no collapse value")

    loss = next(iter(terms_of(method).values())).item()

    assert abs(loss / collapse - 1) > 0.01


def test_equal_features_give_the_collapse_value(a_name, make_method):
    method = make_method(a_name)
    collapse = method.collapse_value(IMAGES)
    if collapse is None:
        pytest.skip("this method knows no collapse value")

    for name, part in method.named_children():
        if "projector" in name:
            part.register_forward_hook(lambda _module, _given, rows: torch.ones_like(rows))
    loss = next(iter(terms_of(method).values())).item()

    assert loss == pytest.approx(collapse, rel=1e-4)


def test_a_few_steps_lower_the_loss(a_name, make_method, monkeypatch):
    """Queues and centers stand still: the same images in every step would become their own negatives."""
    monkeypatch.setattr(Queue, "push", lambda _self, _features: None)
    method = make_method(a_name)
    for teacher in (part for part in method.modules() if isinstance(part, Teacher)):
        teacher.momentum = 1.0
    optimizer = torch.optim.AdamW(method.parameters(), lr=3e-3)

    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        total = torch.stack(list(terms_of(method).values())).sum()
        total.backward()
        optimizer.step()
        losses.append(total.item())

    assert losses[-1] < 0.97 * losses[0]


def test_the_images_of_the_batch_are_left_as_they_were(a_name, make_method):
    method = make_method(a_name)
    batch = a_batch(method)
    before = batch.images.clone()

    terms_of(method, batch)

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
    with pytest.raises(
        BadSetting, match=r"no pre-training method 'macl9'\. Did you mean 'macl'\? Choose from: .*pcl.*simclr"
    ):
        load_method("macl9")
