"""SAM 2 and 2.1 for single slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ContrastiveSegLib.sam._checkpoint import Signs, Weights
from ContrastiveSegLib.sam._frame import Frame
from ContrastiveSegLib.sam._model import Answer, Card, Prompt, Slice
from ContrastiveSegLib.sam._sam2_network import HOW, LICENSE, SOURCE, is_sam2, load_network, photograph
from ContrastiveSegLib.session.device import Compute

CARD = Card(
    makes="masks",
    license=LICENSE,
    packages=("transformers",),
    known={},
    how=HOW,
    source=SOURCE,
    photographs=True,
)


@dataclass(frozen=True, eq=False)
class Encoded:
    """Features of a slice at three resolutions, and where the slice lies in the model's square."""

    features: list[torch.Tensor]
    frame: Frame


@dataclass(frozen=True, eq=False)
class Sam2Slices:
    """A PromptableModel of SAM's second generation."""

    network: Any
    side: int
    compute: Compute

    @torch.inference_mode()
    def encode(self, image: Slice) -> Encoded:
        """Run the image encoder on a slice (H, W)."""
        frame = Frame((image.shape[0], image.shape[1]), self.side, keeps_shape=False)
        with self.compute.mixed():
            found = self.network.get_image_embeddings(photograph(frame.gray(image, self.compute.device)))
        return Encoded([features.float() for features in found], frame)

    @torch.inference_mode()
    def predict(self, encoded: Encoded, prompts: Sequence[Prompt]) -> list[Answer]:
        """Ask prompt after prompt."""
        return [self._one(encoded, prompt) for prompt in prompts]

    def _one(self, encoded: Encoded, prompt: Prompt) -> Answer:
        places, labels = _clicks(prompt)
        asked: dict[str, torch.Tensor] = {}
        if places:
            moved = torch.from_numpy(encoded.frame.points(np.array(places)))
            asked["input_points"] = moved[None, None].to(self.compute.device)
            asked["input_labels"] = torch.tensor(labels, device=self.compute.device)[None, None]
        if prompt.logits is not None:
            asked["input_masks"] = torch.from_numpy(prompt.logits)[None, None].to(self.compute.device)
        elif prompt.outline is not None:
            asked["input_masks"] = encoded.frame.logits(prompt.outline, encoded.features[-1])
        found = self.network(image_embeddings=encoded.features, multimask_output=False, **asked)
        return encoded.frame.answers(found.pred_masks[0, :, 0], found.iou_scores[0, :, 0].tolist())[0]


def recognizes(signs: Signs) -> bool:
    """Whether these tensors are SAM 2's."""
    return is_sam2(signs)


def load(weights: Weights, compute: Compute) -> Sam2Slices:
    """The model on the device.

    Raises:
        BadCheckpoint: The tensors are not SAM 2's.
    """
    network = load_network(weights, video=False)
    side = network.config.prompt_encoder_config.image_size
    return Sam2Slices(network.to(compute.device).eval(), side, compute)


def _clicks(prompt: Prompt) -> tuple[list[tuple[float, float]], list[int]]:
    """A box is two more points for SAM 2, its corners, with labels of their own."""
    corners = [prompt.box[:2], prompt.box[2:]] if prompt.box else []
    places = [*corners, *(point[:2] for point in prompt.points)]
    return places, [*(2, 3)[: len(corners)], *(int(point[2]) for point in prompt.points)]
