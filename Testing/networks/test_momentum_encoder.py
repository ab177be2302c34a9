"""A copy follows slowly without gradients, and a queue keeps the last features that were pushed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ContrastiveSegLib.networks.momentum_encoder import MomentumEncoder, Queue, rising_momentum


@pytest.fixture
def a_module() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))


@pytest.fixture
def a_queue() -> Queue:
    """Five rows of two numbers."""
    torch.manual_seed(0)
    return Queue(5, 2)


def changed(module: nn.Module) -> None:
    with torch.no_grad():
        for n, parameter in enumerate(module.parameters()):
            parameter += n + 1


def rows(*degrees: float) -> torch.Tensor:
    angles = torch.tensor(degrees).deg2rad()
    return torch.stack([angles.cos(), angles.sin()], dim=1)


@pytest.mark.parametrize("momentum", [0.0, 0.75, 0.99, 1.0])
def test_following_equals_a_slow_loop(a_module, momentum):
    slow = MomentumEncoder(a_module)
    start = [parameter.clone() for parameter in slow.parameters()]
    changed(a_module)

    for _ in range(3):
        slow.follow(a_module, momentum)

    for mine, before, theirs in zip(slow.parameters(), start, a_module.parameters(), strict=True):
        expected = before.double()
        for _ in range(3):
            expected = momentum * expected + (1 - momentum) * theirs.detach().double()
        torch.testing.assert_close(mine.double(), expected, rtol=1e-5, atol=1e-6)


def test_the_module_that_is_followed_stays_where_it_is(a_module):
    slow = MomentumEncoder(a_module)
    changed(a_module)
    before = [parameter.clone() for parameter in a_module.parameters()]

    slow.follow(a_module, 0.5)

    assert all(torch.equal(p, b) for p, b in zip(a_module.parameters(), before, strict=True))


def test_a_copy_starts_alike_and_shares_nothing(a_module):
    slow = MomentumEncoder(a_module)
    images = torch.rand(2, 1, 4, 4)
    torch.testing.assert_close(slow(images), a_module(images))

    changed(a_module)

    assert not torch.allclose(slow(images), a_module(images))


def test_running_statistics_are_the_copys_own(a_module):
    slow = MomentumEncoder(a_module)

    a_module(torch.rand(2, 1, 4, 4) + 5)
    slow.follow(a_module, 0.0)
    assert not slow.copy[1].running_mean.any()

    slow(torch.rand(2, 1, 4, 4) + 5)
    assert slow.copy[1].running_mean.any()


def test_no_gradient_reaches_or_passes_the_copy(a_module, a_network):
    images = torch.rand(2, 1, 32, 32, requires_grad=True)
    slow = MomentumEncoder(a_module)

    seen = slow(images[..., :4, :4])
    features = MomentumEncoder(a_network).encode(images)

    assert not any(parameter.requires_grad for parameter in slow.parameters())
    assert not any(out.requires_grad for out in (seen, *features))
    assert all(parameter.requires_grad for parameter in a_module.parameters())


def test_a_copied_network_encodes_as_the_network(a_network):
    a_network.eval()
    images = torch.rand(2, 1, 32, 32)

    features = MomentumEncoder(a_network).encode(images)

    for mine, theirs in zip(features, a_network.encode(images), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_the_momentum_rises_from_its_start_to_one_on_half_a_cosine():
    values = [rising_momentum(0.9, progress) for progress in (0, 0.25, 1 / 3, 0.5, 1)]

    assert values == pytest.approx([0.9, 1 - 0.1 * (2 + 2**0.5) / 4, 0.925, 0.95, 1.0], abs=1e-12)


def test_a_queue_begins_with_directions_of_unit_length(a_queue):
    torch.testing.assert_close(a_queue.snapshot().norm(dim=1), torch.ones(5))
    assert len(a_queue.snapshot().unique(dim=0)) == 5


def test_the_oldest_rows_are_replaced_first_and_the_queue_wraps_around(a_queue):
    begin = a_queue.snapshot()

    a_queue.push(3 * rows(0, 10, 20))
    torch.testing.assert_close(a_queue.snapshot(), torch.cat([rows(0, 10, 20), begin[3:]]))

    a_queue.push(rows(30, 40, 50, 60))
    torch.testing.assert_close(a_queue.snapshot(), rows(50, 60, 20, 30, 40))

    a_queue.push(rows(70))
    torch.testing.assert_close(a_queue.snapshot(), rows(50, 60, 70, 30, 40))


@pytest.mark.parametrize("lengths", [(1,) * 13, (2, 3, 4, 1, 5), (5, 5), (4, 4, 4)])
def test_a_queue_equals_a_list_that_forgets(a_queue, lengths):
    kept = list(a_queue.snapshot())

    degrees = iter(range(0, 350, 7))
    for length in lengths:
        pushed = rows(*(next(degrees) for _ in range(length)))
        a_queue.push(pushed)
        kept = [*kept, *pushed][-5:]

    found, expected = (sorted(row.tolist() for row in all_rows) for all_rows in (a_queue.snapshot(), kept))
    assert torch.tensor(found) == pytest.approx(torch.tensor(expected), abs=1e-6)


def test_of_more_rows_than_fit_the_first_ones_are_kept(a_queue):
    a_queue.push(rows(5, 15))

    a_queue.push(rows(*range(20, 90, 10)))

    torch.testing.assert_close(a_queue.snapshot(), rows(50, 60, 20, 30, 40))


def test_a_snapshot_is_not_changed_by_what_comes_later(a_queue):
    snapshot = a_queue.snapshot()
    before = snapshot.clone()

    a_queue.push(rows(1, 2, 3, 4, 5))

    assert torch.equal(snapshot, before)
    assert not torch.equal(a_queue.snapshot(), before)


def test_what_is_pushed_is_cut_from_its_gradient(a_queue):
    a_queue.push(rows(1, 2).requires_grad_())

    assert not a_queue.snapshot().requires_grad


def test_a_queue_goes_on_after_saving_and_loading(a_queue):
    a_queue.push(rows(0, 10, 20))
    resumed = Queue(5, 2)

    resumed.load_state_dict(a_queue.state_dict())
    for queue in (a_queue, resumed):
        queue.push(rows(30, 40, 50))

    torch.testing.assert_close(resumed.snapshot(), rows(50, 10, 20, 30, 40))
    assert torch.equal(resumed.snapshot(), a_queue.snapshot())


def test_a_copy_is_saved_with_its_own_weights(a_module):
    slow = MomentumEncoder(a_module)
    changed(a_module)
    resumed = MomentumEncoder(a_module)

    resumed.load_state_dict(slow.state_dict())

    for mine, theirs in zip(resumed.parameters(), slow.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert not torch.equal(next(resumed.parameters()), next(a_module.parameters()))
