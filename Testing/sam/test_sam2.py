"""SAM 2 with random weights: slices, memory, and the names in Meta's files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ContrastiveSegLib.errors import BadCheckpoint
from ContrastiveSegLib.sam import sam2, sam2_video
from ContrastiveSegLib.sam._checkpoint import Weights, identify
from ContrastiveSegLib.sam._model import Prompt
from ContrastiveSegLib.sam._sam2_network import renamed, sizes_of

SHAPE = (5, 50, 60)


@pytest.fixture(scope="module")
def some_slices() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, SHAPE).astype(np.uint8)


def square(top: int, left: int, side: int) -> np.ndarray:
    mask = np.zeros(SHAPE[1:], bool)
    mask[top : top + side, left : left + side] = True
    return mask


@pytest.fixture
def a_propagator(a_sam2_folder: Path, a_compute: Any) -> Any:
    return sam2_video.load(identify(a_sam2_folder, {}), a_compute)


def test_slices_are_answered_for_boxes_points_and_masks(
    a_sam2_folder: Path, a_compute: Any, some_slices: np.ndarray
) -> None:
    model = sam2.load(identify(a_sam2_folder, {}), a_compute)
    encoded = model.encode(some_slices[0])
    (first,) = model.predict(encoded, [Prompt(box=(10, 5, 40, 30))])

    others = model.predict(
        encoded,
        [
            Prompt(box=(10, 5, 40, 35)),
            Prompt(points=((20, 20, True),)),
            Prompt(box=(10, 5, 40, 30), logits=first.low_resolution),
            Prompt(box=(10, 5, 40, 30), outline=square(5, 10, 25)),
        ],
    )

    assert first.logits.shape == SHAPE[1:]
    for other in others:
        assert np.abs(first.logits - other.logits).max() > 1e-7


def test_every_structure_is_followed_on_the_grid_of_the_slices(
    a_propagator: Any, some_slices: np.ndarray
) -> None:
    masks = {4: square(5, 5, 20), 9: square(30, 30, 10)}
    walk = a_propagator.start(some_slices, 2, masks)

    up = walk.step(3, masks)
    further = walk.step(4, {9: masks[9]})

    assert set(up) == {4, 9}
    assert set(further) == {9}
    assert up[4].logits.shape == SHAPE[1:]
    assert 0 <= up[4].score <= 1


def test_what_was_annotated_is_remembered(a_propagator: Any, some_slices: np.ndarray) -> None:
    answers = []
    for mask in (square(5, 5, 20), square(25, 30, 20)):
        walk = a_propagator.start(some_slices, 2, {1: mask})
        answers.append(walk.see(3))

    changed = (answers[0].object_score_logits - answers[1].object_score_logits).abs().max()
    assert float(changed) > 1e-7


def test_the_way_down_is_the_way_up_of_the_volume_turned_over(
    a_propagator: Any, some_slices: np.ndarray
) -> None:
    mask = square(10, 10, 20)
    down = a_propagator.start(some_slices, 2, {1: mask})
    turned = a_propagator.start(some_slices[::-1], 2, {1: mask})

    for k in (1, 0):
        one, other = down.see(k), turned.see(4 - k)
        torch.testing.assert_close(one.pred_masks, other.pred_masks)


def test_metas_names_become_those_of_transformers() -> None:
    names = {
        "image_encoder.trunk.blocks.3.mlp.layers.1.bias": (
            "vision_encoder.backbone.blocks.3.mlp.proj_out.bias"
        ),
        "image_encoder.trunk.blocks.3.norm2.bias": "vision_encoder.backbone.blocks.3.layer_norm2.bias",
        "image_encoder.neck.convs.2.conv.weight": "vision_encoder.neck.convs.2.weight",
        "memory_attention.norm.weight": "memory_attention.layer_norm.weight",
        "memory_attention.layers.1.cross_attn_image.out_proj.bias": (
            "memory_attention.layers.1.cross_attn_image.o_proj.bias"
        ),
        "memory_encoder.mask_downsampler.encoder.4.weight": (
            "memory_encoder.mask_downsampler.layers.1.layer_norm.weight"
        ),
        "memory_encoder.mask_downsampler.encoder.12.bias": "memory_encoder.mask_downsampler.final_conv.bias",
        "memory_encoder.fuser.layers.0.gamma": "memory_encoder.memory_fuser.layers.0.scale",
        "sam_mask_decoder.pred_obj_score_head.layers.1.bias": (
            "mask_decoder.pred_obj_score_head.layers.0.bias"
        ),
        "sam_mask_decoder.transformer.layers.0.mlp.layers.0.bias": (
            "mask_decoder.transformer.layers.0.mlp.proj_in.bias"
        ),
        "sam_mask_decoder.transformer.norm_final_attn.bias": (
            "mask_decoder.transformer.layer_norm_final_attn.bias"
        ),
        "obj_ptr_proj.layers.2.weight": "object_pointer_proj.proj_out.weight",
        "maskmem_tpos_enc": "memory_temporal_positional_encoding",
    }

    found = renamed({name: torch.zeros(1) for name in names})

    assert list(found) == list(names.values())


def test_the_four_kinds_of_points_become_one_table() -> None:
    tensors = {f"sam_prompt_encoder.point_embeddings.{n}.weight": torch.full((1, 2), n) for n in (2, 0, 3, 1)}

    found = renamed(tensors)

    assert found["prompt_encoder.point_embed.weight"][:, 0].tolist() == [0, 1, 2, 3]


def test_the_size_is_read_off_the_tensors() -> None:
    tensors = {f"image_encoder.trunk.blocks.{n}.norm1.bias": torch.zeros(1) for n in range(12)}
    tensors["image_encoder.trunk.patch_embed.proj.bias"] = torch.zeros(96)
    tensors["image_encoder.trunk.pos_embed"] = torch.zeros(1, 96, 7, 7)

    sizes = sizes_of(tensors, Weights(Path("sam2_hiera_tiny.pt"), ""))

    backbone = sizes["vision_config"]["backbone_config"]
    assert backbone["blocks_per_stage"] == [1, 2, 7, 2]
    assert backbone["embed_dim_per_stage"] == [96, 192, 384, 768]
    assert not sizes["enable_occlusion_spatial_embedding"]  # SAM 2, not 2.1


def test_a_size_that_nobody_published_is_refused() -> None:
    tensors = {
        "image_encoder.trunk.patch_embed.proj.bias": torch.zeros(10),
        "image_encoder.trunk.blocks.0.norm1.bias": torch.zeros(1),
    }

    with pytest.raises(BadCheckpoint, match="of 1 blocks and width 10; no published one is like that"):
        sizes_of(tensors, Weights(Path("mine.pt"), ""))
