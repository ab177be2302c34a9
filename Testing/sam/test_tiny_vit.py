"""TinyViT equals slow loops where it is particular: biases by distance, windows, resolutions."""

from __future__ import annotations

import pytest
import torch

from ContrastiveSegLib.sam._tiny_vit import TinyViT, _Attention, _Block

SMALL = {"widths": (8, 16, 20, 24), "depths": (1, 1, 1, 1), "heads": (1, 2, 2, 2), "out": 12}


@pytest.mark.parametrize(("stem_stride", "side", "places"), [(1, 32, 8), (4, 128, 8)])
def test_a_quarter_or_a_sixteenth_of_the_resolution_is_left(stem_stride: int, side: int, places: int) -> None:
    network = TinyViT(stem_stride, **SMALL).eval()

    features = network(torch.rand(1, 3, side, side))

    assert features.shape == (1, 12, places, places)


def test_attention_equals_a_loop_over_pairs_of_places() -> None:
    torch.manual_seed(0)
    attention = _Attention(6, 2, 3).eval()
    torch.nn.init.normal_(attention.attention_biases)
    x = torch.randn(1, 9, 6)

    mixed = attention(x)

    found = attention.qkv(attention.norm(x))[0]
    expected = torch.zeros(9, 6)
    for head in range(2):
        q, k, v = found[:, 9 * head : 9 * head + 9].split(3, dim=1)
        for a in range(9):
            scores = []
            for b in range(9):
                rows, columns = abs(a // 3 - b // 3), abs(a % 3 - b % 3)
                bias = attention.attention_biases[head, rows * 3 + columns]
                scores.append((q[a] @ k[b]) / 3**0.5 + bias)
            weights = torch.softmax(torch.stack(scores), dim=0)
            expected[a, 3 * head : 3 * head + 3] = sum(w * v[b] for b, w in enumerate(weights))
    torch.testing.assert_close(mixed[0], attention.proj(expected))


def test_windows_do_not_see_each_other() -> None:
    torch.manual_seed(0)
    block = _Block(8, 2, 4).eval()
    x = torch.randn(1, 8, 6, 10)  # padded to 8 x 12: two times three windows
    changed = x.clone()
    changed[..., :4, 4:8] = torch.randn(1, 8, 4, 4)

    before, after = block._attended(x), block._attended(changed)

    same = torch.ones(6, 10, dtype=torch.bool)
    same[:4, 4:8] = False
    torch.testing.assert_close(before[..., same], after[..., same])
    assert (before[..., ~same] - after[..., ~same]).abs().max() > 1e-3


def test_the_published_sizes_have_the_published_number_of_parameters() -> None:
    # The files hold 9.79 and 10.13 million: 4.06 of them are SAM's decoder, 0.32 of MobileSAM's a classifier.
    counts = [sum(p.numel() for p in TinyViT(stride).parameters()) for stride in (1, 4)]

    assert [round(count / 1e6, 2) for count in counts] == [5.73, 5.74]
