"""SAM's prompt encoder and mask decoder behind any image encoder, with weights under Meta's names.

Source: Kirillov et al., Segment Anything, ICCV 2023, https://arxiv.org/abs/2304.02643.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ContrastiveSegLib.sam._frame import Frame
from ContrastiveSegLib.sam._model import Answer, Prompt, Slice
from ContrastiveSegLib.session.device import Compute

# Red, green and blue of photographs, 0...255; a gray slice is all three.
MEAN, SD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)

# Meta's names and those of transformers.
RENAMED = (
    (r"^image_encoder\.neck\.0\.", "vision_encoder.neck.conv1."),
    (r"^image_encoder\.neck\.1\.", "vision_encoder.neck.layer_norm1."),
    (r"^image_encoder\.neck\.2\.", "vision_encoder.neck.conv2."),
    (r"^image_encoder\.neck\.3\.", "vision_encoder.neck.layer_norm2."),
    (r"^image_encoder\.patch_embed\.proj\.", "vision_encoder.patch_embed.projection."),
    (r"^image_encoder\.blocks\.", "vision_encoder.layers."),
    (r"^image_encoder\.", "vision_encoder."),
    (r"^prompt_encoder\.point_embeddings\.", "prompt_encoder.point_embed."),
    (r"^prompt_encoder\.mask_downscaling\.0\.", "prompt_encoder.mask_embed.conv1."),
    (r"^prompt_encoder\.mask_downscaling\.1\.", "prompt_encoder.mask_embed.layer_norm1."),
    (r"^prompt_encoder\.mask_downscaling\.3\.", "prompt_encoder.mask_embed.conv2."),
    (r"^prompt_encoder\.mask_downscaling\.4\.", "prompt_encoder.mask_embed.layer_norm2."),
    (r"^prompt_encoder\.mask_downscaling\.6\.", "prompt_encoder.mask_embed.conv3."),
    (r"^mask_decoder\.output_upscaling\.0\.", "mask_decoder.upscale_conv1."),
    (r"^mask_decoder\.output_upscaling\.1\.", "mask_decoder.upscale_layer_norm."),
    (r"^mask_decoder\.output_upscaling\.3\.", "mask_decoder.upscale_conv2."),
    (r"\.norm(\d)\.", r".layer_norm\1."),
    (r"\.norm_final_attn\.", ".layer_norm_final_attn."),
    (r"(_mlps\.\d|_head)\.layers\.0\.", r"\1.proj_in."),
    (r"(_mlps\.\d|_head)\.layers\.2\.", r"\1.proj_out."),
    (r"(_mlps\.\d|_head)\.layers\.1\.", r"\1.layers.0."),
)
POSITIONS = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"


@dataclass(frozen=True, eq=False)
class Encoded:
    """Features of a slice, and where the slice lies in the model's square."""

    features: torch.Tensor
    frame: Frame


@dataclass(frozen=True, eq=False)
class SamModel:
    """A PromptableModel of SAM's first generation.

    Only the image encoder runs in reduced precision: it is nearly all of the work.

    Args:
        network: transformers' SamModel; its image encoder may be another one.
        side: Of the square that the image encoder sees.
        photograph: What turns gray values (1, 1, h, w), 0...255, into what the encoder was trained on.
    """

    network: Any
    side: int
    photograph: Callable[[torch.Tensor], torch.Tensor]
    compute: Compute

    @torch.inference_mode()
    def encode(self, image: Slice) -> Encoded:
        """Run the image encoder on a slice (H, W)."""
        frame = Frame((image.shape[0], image.shape[1]), self.side, keeps_shape=True)
        pixels = frame.padded(self.photograph(frame.gray(image, self.compute.device)))
        with self.compute.mixed():
            found = self.network.vision_encoder(pixels)
        features = found if isinstance(found, torch.Tensor) else found[0]
        return Encoded(features.float(), frame)

    @torch.inference_mode()
    def predict(self, encoded: Encoded, prompts: Sequence[Prompt]) -> list[Answer]:
        """Ask prompt after prompt; those that are boxes alone are asked together."""
        if all(prompt.is_box for prompt in prompts):
            return self._boxes(encoded, prompts) if prompts else []
        return [self._one(encoded, prompt) for prompt in prompts]

    def _boxes(self, encoded: Encoded, prompts: Sequence[Prompt]) -> list[Answer]:
        boxes = np.array([prompt.box for prompt in prompts]).reshape(1, -1, 2, 2)
        return self._ask(encoded, input_boxes=self._placed(encoded.frame, boxes).flatten(2))

    def _one(self, encoded: Encoded, prompt: Prompt) -> Answer:
        asked: dict[str, torch.Tensor] = {}
        if prompt.box:
            corners = np.array(prompt.box).reshape(1, 1, 2, 2)
            asked["input_boxes"] = self._placed(encoded.frame, corners).flatten(2)
        if prompt.points:
            places = np.array([point[:2] for point in prompt.points])[None, None]
            asked["input_points"] = self._placed(encoded.frame, places)
            inside = [int(point[2]) for point in prompt.points]
            asked["input_labels"] = torch.tensor(inside, device=self.compute.device)[None, None]
        if prompt.logits is not None:
            asked["input_masks"] = torch.from_numpy(prompt.logits)[None, None].to(self.compute.device)
        elif prompt.outline is not None:
            asked["input_masks"] = encoded.frame.logits(prompt.outline, encoded.features)
        return self._ask(encoded, **asked)[0]

    def _ask(self, encoded: Encoded, **asked: torch.Tensor) -> list[Answer]:
        found = self.network(image_embeddings=encoded.features, multimask_output=False, **asked)
        return encoded.frame.answers(found.pred_masks[0, :, 0], found.iou_scores[0, :, 0].tolist())

    def _placed(self, frame: Frame, places: Any) -> torch.Tensor:
        return torch.from_numpy(frame.points(places)).to(self.compute.device)


def photograph(gray: torch.Tensor) -> torch.Tensor:
    """Gray values 0...255 as the photographs SAM was trained on."""
    mean, sd = (gray.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, SD))
    return (gray - mean) / sd


def unit_range(gray: torch.Tensor) -> torch.Tensor:
    """Gray values from the darkest to the brightest as 0...1, as MedSAM was trained."""
    low, high = gray.min(), gray.max()
    return ((gray - low) / (high - low).clamp_min(1e-8)).expand(-1, 3, -1, -1)


def renamed(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors under the names of transformers."""
    found = {}
    for name, tensor in tensors.items():
        if name == POSITIONS:
            for place in ("shared_image_embedding", "prompt_encoder.shared_embedding"):
                found[f"{place}.positional_embedding"] = tensor
            continue
        for pattern, replacement in RENAMED:
            name = re.sub(pattern, replacement, name)
        found[name] = tensor
    return found


def renamed_decoder(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The decoder under the names of transformers, an image encoder that is not SAM's under its own.

    The classifier that TinyViT had before it met SAM is left out.
    """
    own = {name for name in tensors if name.startswith("image_encoder.")}
    used = {name for name in own if not name.startswith(("image_encoder.head.", "image_encoder.norm_head."))}
    encoder = {f"vision_encoder.{name.removeprefix('image_encoder.')}": tensors[name] for name in used}
    return {**encoder, **renamed({name: tensor for name, tensor in tensors.items() if name not in own})}


def decoder_only(side: int, stride: int, encoder: nn.Module, **sizes: int) -> Any:
    """SAM with another image encoder.

    Args:
        stride: Pixels of the square per place of the encoder's features.
        sizes: Other widths than the published ones, for tests: hidden_size, mlp_dim.
    """
    from transformers import SamConfig, SamModel

    width = sizes.get("hidden_size", 256)
    config = SamConfig(
        vision_config={
            "num_hidden_layers": 0,
            "hidden_size": 8,
            "image_size": side,
            "patch_size": stride,
            "output_channels": width,
            "num_pos_feats": width // 2,
        },
        prompt_encoder_config={"image_size": side, "patch_size": stride, "hidden_size": width},
        mask_decoder_config={"iou_head_hidden_dim": width, **sizes},
    )
    network: Any = SamModel(config)
    network.vision_encoder = encoder
    return network
