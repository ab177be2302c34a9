"""GCL's term equals a value computed without its code."""

from __future__ import annotations

import pytest
import torch
from torch import Generator
from torch.nn import functional as F

from ContrastiveSegLib.pretraining import gcl
from ContrastiveSegLib.training.batches import Batch

SLICE_POSITIONS = [0.25, 0.20, 0.26, 1.00]  # the first quarter ends with 0.25


@pytest.mark.parametrize(("parts", "labels"), [(4, [0, 0, 1, 3]), (2, [0, 0, 0, 1]), (5, [1, 0, 1, 4])])
def test_the_term_equals_a_slow_loop(a_network, some_images, with_simple_views, slow_contrast, parts, labels):
    method = with_simple_views(gcl).Method(a_network, gcl.Settings(parts=parts, temperature=0.2)).eval()

    terms = method.loss_terms(Batch(some_images, torch.tensor(SLICE_POSITIONS), torch.arange(4)), Generator())

    views = [*some_images[:, None], *some_images.flip(-2)[:, None]]
    rows = [method.projector(a_network.encode(view)[-1])[0] for view in views]
    expected = slow_contrast(rows, lambda a, b: labels[a % 4] == labels[b % 4], temperature=0.2)
    assert list(terms) == ["part"]
    assert terms["part"].item() == pytest.approx(expected, rel=1e-4)


def test_only_the_part_of_the_body_matters(a_network, some_images):
    method = gcl.Method(a_network, gcl.Settings()).eval()

    def term(*slice_positions: float) -> float:
        batch = Batch(some_images, torch.tensor(slice_positions), torch.arange(4))
        return method.loss_terms(batch, Generator().manual_seed(0))["part"].item()

    assert term(0.1, 0.2, 0.6, 0.7) == term(0.25, 0.05, 0.75, 0.51)
    assert term(0.1, 0.2, 0.6, 0.7) != term(0.1, 0.6, 0.2, 0.7)


def test_places_attract_themselves_under_other_gray_values(a_network, some_images, monkeypatch):
    """A slow loop over all places, with copies that keep their gray values or lose their contrast."""
    contrast = iter([1.0, 0.5])
    monkeypatch.setattr(gcl, "intensity_augmentation", lambda images, _: images * next(contrast))
    method = gcl.Method(a_network, gcl.Settings(local=0.7, places=1000, temperature=0.2)).eval()

    terms = method.loss_terms(Batch(some_images, torch.tensor(SLICE_POSITIONS), torch.arange(4)), Generator())

    def places(images: torch.Tensor) -> torch.Tensor:
        decoded = method.place_projector(a_network.decode(a_network.encode(images), 3))
        return F.avg_pool2d(decoded, 3, ceil_mode=True).flatten(2)  # (B, D, n)

    one, other, losses = places(some_images), places(some_images * 0.5), []
    for b in range(4):
        for i in range(one.shape[2]):
            near = torch.stack(
                [F.cosine_similarity(one[b, :, i], other[b, :, j], dim=0) / 0.2 for j in range(one.shape[2])]
            )
            losses.append(-(near[i].exp() / near.exp().sum()).log())
    assert terms["place"].item() == pytest.approx(0.7 * torch.stack(losses).mean().item(), rel=1e-4)


def test_places_train_decoder_blocks_too(make_network, some_images):
    method = gcl.Method(make_network(), gcl.Settings(local=1.0))

    terms = method.loss_terms(Batch(some_images, torch.tensor(SLICE_POSITIONS), torch.arange(4)), Generator())
    terms["place"].backward()

    assert method.trains == ("encoder", "decoder.0", "decoder.1", "decoder.2")
    reached = {
        name.split(".")[0] + "." + name.split(".")[1]
        for name, p in method.network.named_parameters()
        if p.grad is not None
    }
    assert {"decoder.0", "decoder.1", "decoder.2"} <= reached
    assert "decoder.3" not in reached
    assert gcl.Method(make_network(), gcl.Settings()).trains == ("encoder",)


def test_places_are_compared_in_blocks_too(make_network):
    network = make_network(spatial_dims=3, pools=((2, 2, 2),) * 4)
    images = torch.rand(2, 1, 32, 32, 32, generator=Generator().manual_seed(0))

    terms = gcl.Method(network, gcl.Settings(local=1.0)).loss_terms(
        Batch(images, torch.tensor([0.2, 0.9]), torch.arange(2)), Generator().manual_seed(0)
    )

    assert terms["place"].isfinite()
    assert terms["place"].item() > 0
