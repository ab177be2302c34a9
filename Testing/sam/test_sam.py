"""SAM with random weights: what it is asked reaches it, and Meta's files are the same model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ContrastiveSegLib.errors import BadCheckpoint
from ContrastiveSegLib.sam import _sam_network, lite_medsam, sam
from ContrastiveSegLib.sam._checkpoint import Weights, identify, read_tensors
from ContrastiveSegLib.sam._model import Prompt
from ContrastiveSegLib.sam._tiny_vit import TinyViT

# Names of transformers to those in Meta's files, written down from the files; the others only lose a prefix.
META = (
    (r"^vision_encoder\.neck\.conv1", "image_encoder.neck.0"),
    (r"^vision_encoder\.neck\.layer_norm1", "image_encoder.neck.1"),
    (r"^vision_encoder\.neck\.conv2", "image_encoder.neck.2"),
    (r"^vision_encoder\.neck\.layer_norm2", "image_encoder.neck.3"),
    (r"^vision_encoder\.patch_embed\.projection", "image_encoder.patch_embed.proj"),
    (r"^vision_encoder\.layers", "image_encoder.blocks"),
    (r"^vision_encoder\.pos_embed", "image_encoder.pos_embed"),
    (r"prompt_encoder\.point_embed", "prompt_encoder.point_embeddings"),
    (r"mask_embed\.conv1", "mask_downscaling.0"),
    (r"mask_embed\.layer_norm1", "mask_downscaling.1"),
    (r"mask_embed\.conv2", "mask_downscaling.3"),
    (r"mask_embed\.layer_norm2", "mask_downscaling.4"),
    (r"mask_embed\.conv3", "mask_downscaling.6"),
    (r"upscale_conv1", "output_upscaling.0"),
    (r"upscale_layer_norm", "output_upscaling.1"),
    (r"upscale_conv2", "output_upscaling.3"),
    (r"layer_norm_final_attn", "norm_final_attn"),
    (r"layer_norm(\d)", r"norm\1"),
    (r"(_mlps\.\d|_head)\.layers\.0\.", r"\1.layers.1."),
    (r"(_mlps\.\d|_head)\.proj_in\.", r"\1.layers.0."),
    (r"(_mlps\.\d|_head)\.proj_out\.", r"\1.layers.2."),
)


def as_meta(folder: Path, file: Path) -> Path:
    """The same tensors in a file as Meta publishes them."""
    tensors = {}
    for name, tensor in read_tensors(folder / "model.safetensors").items():
        if "positional_embedding" in name:
            tensors["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"] = tensor
            continue
        for pattern, replacement in META:
            name = re.sub(pattern, replacement, name)
        tensors[name] = tensor
    torch.save(tensors, file)
    return file


@pytest.fixture(scope="module")
def an_image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (50, 70)).astype(np.uint8)


@pytest.fixture
def a_sam(a_sam_folder: Path, a_compute: Any) -> Any:
    return sam.load(identify(a_sam_folder, {}), a_compute)


def test_an_answer_lies_on_the_slice_and_repeats(a_sam: Any, an_image: np.ndarray) -> None:
    encoded = a_sam.encode(an_image)

    (one,) = a_sam.predict(encoded, [Prompt(box=(10, 5, 40, 30))])
    (again,) = a_sam.predict(a_sam.encode(an_image), [Prompt(box=(10, 5, 40, 30))])

    assert one.logits.shape == an_image.shape
    assert one.low_resolution.shape == (32, 32)
    np.testing.assert_array_equal(one.logits, again.logits)


def test_boxes_asked_together_are_answered_as_each_alone(a_sam: Any, an_image: np.ndarray) -> None:
    encoded = a_sam.encode(an_image)
    prompts = [Prompt(box=(10, 5, 40, 30)), Prompt(box=(0, 0, 69, 49)), Prompt(box=(30, 20, 35, 45))]

    together = a_sam.predict(encoded, prompts)

    for prompt, answer in zip(prompts, together, strict=True):
        (alone,) = a_sam.predict(encoded, [prompt])
        np.testing.assert_allclose(answer.logits, alone.logits, atol=1e-5)
        assert answer.score == pytest.approx(alone.score, abs=1e-5)
    assert a_sam.predict(encoded, []) == []


def test_boxes_points_and_masks_each_change_the_answer(a_sam: Any, an_image: np.ndarray) -> None:
    encoded = a_sam.encode(an_image)
    box = Prompt(box=(10, 5, 40, 30))
    (first,) = a_sam.predict(encoded, [box])
    others = [
        Prompt(box=(12, 5, 40, 30)),
        Prompt(box=box.box, points=((20, 20, True),)),
        Prompt(box=box.box, points=((20, 20, False),)),
        Prompt(points=((20, 20, True), (3, 3, False))),
        Prompt(box=box.box, logits=first.low_resolution),
        Prompt(box=box.box, outline=first.mask),
    ]

    answers = [first, *a_sam.predict(encoded, others)]

    for n, answer in enumerate(answers):
        for other in answers[n + 1 :]:
            assert np.abs(answer.logits - other.logits).max() > 1e-7


def test_an_earlier_answer_counts_more_than_the_outline_it_came_from(
    a_sam: Any, an_image: np.ndarray
) -> None:
    encoded, box = a_sam.encode(an_image), (10, 5, 40, 30)
    (first,) = a_sam.predict(encoded, [Prompt(box=box)])
    both = Prompt(box=box, logits=first.low_resolution, outline=~first.mask)

    (again,), (alone,) = (
        a_sam.predict(encoded, [prompt]) for prompt in (both, Prompt(box=box, logits=first.low_resolution))
    )

    np.testing.assert_array_equal(again.logits, alone.logits)


def test_metas_file_is_the_same_model(
    a_sam: Any, a_sam_folder: Path, a_compute: Any, tmp_path: Path, an_image: np.ndarray
) -> None:
    file = as_meta(a_sam_folder, tmp_path / "sam.pth")

    same = sam.load(identify(file, {}), a_compute)

    prompt = Prompt(box=(10, 5, 40, 30))
    (one,), (other,) = (m.predict(m.encode(an_image), [prompt]) for m in (a_sam, same))
    np.testing.assert_allclose(one.logits, other.logits, atol=1e-6)


def test_a_file_with_a_tensor_too_few_is_refused(a_sam_folder: Path, a_compute: Any, tmp_path: Path) -> None:
    file = as_meta(a_sam_folder, tmp_path / "sam.pth")
    tensors = read_tensors(file)
    del tensors["mask_decoder.iou_token.weight"]
    torch.save(tensors, file)

    with pytest.raises(BadCheckpoint, match=r"mask_decoder\.iou_token\.weight is missing"):
        sam.load(identify(file, {}), a_compute)


def test_a_small_image_encoder_of_another_kind_fits_the_decoder(
    a_compute: Any, an_image: np.ndarray, monkeypatch: Any, tmp_path: Path
) -> None:
    pytest.importorskip("transformers", reason="promptable models need transformers")
    small = {"widths": (8, 16, 20, 24), "depths": (1, 1, 1, 1), "heads": (1, 2, 2, 2)}
    torch.manual_seed(0)
    network = _sam_network.decoder_only(256, 4, TinyViT(1, **small))
    monkeypatch.setattr(lite_medsam, "TinyViT", lambda stem_stride: TinyViT(stem_stride, **small))
    path = tmp_path / "lite.pth"
    torch.save(_under_metas_names(network), path)

    model = lite_medsam.load(Weights(path, ""), a_compute)
    (answer,) = model.predict(model.encode(an_image), [Prompt(box=(10, 5, 40, 30))])

    (loaded, saved) = (m.mask_decoder.iou_token.weight for m in (model.network, network))
    torch.testing.assert_close(loaded, saved)
    assert answer.logits.shape == an_image.shape


def _under_metas_names(network: Any) -> dict[str, torch.Tensor]:
    tensors = {}
    for name, tensor in network.state_dict().items():
        if "positional_embedding" in name:
            tensors["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"] = tensor
            continue
        if name.startswith("vision_encoder."):
            tensors[name.replace("vision_encoder", "image_encoder", 1)] = tensor
            continue
        for pattern, replacement in META:
            name = re.sub(pattern, replacement, name)
        tensors[name] = tensor
    return {**tensors, "image_encoder.head.weight": torch.zeros(1)}
