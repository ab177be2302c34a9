"""SAM 2 and 2.1 with memory: follow structures from slice to slice as through a video."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from ContrastiveSegLib.sam._checkpoint import Signs, Weights
from ContrastiveSegLib.sam._frame import Frame
from ContrastiveSegLib.sam._model import Answer, Card, Mask
from ContrastiveSegLib.sam._sam2_network import (
    HOW,
    LICENSE,
    SOURCE,
    has_memory,
    is_sam2,
    load_network,
    photograph,
)
from ContrastiveSegLib.session.device import Compute

CARD = Card(makes="volumes", license=LICENSE, packages=("transformers",), known={}, how=HOW, source=SOURCE)


@dataclass(frozen=True, eq=False)
class Sam2Propagator:
    """A Propagator with memory."""

    network: Any
    side: int
    compute: Compute

    def start(self, slices: npt.NDArray[np.uint8], key: int, masks: Mapping[int, Mask]) -> Sam2Tracker:
        """Show the annotated slice; what is remembered is the annotation itself, not a box around it."""
        from transformers import Sam2VideoInferenceSession

        frame = Frame((slices.shape[1], slices.shape[2]), self.side, keeps_shape=False)
        session = Sam2VideoInferenceSession(
            video_height=slices.shape[1],
            video_width=slices.shape[2],
            inference_device=self.compute.device,
            inference_state_device=self.compute.device,
            dtype=torch.float32,
        )
        session.processed_frames = {}
        for value, mask in masks.items():
            drawn = torch.from_numpy(np.ascontiguousarray(mask))[None, None].float()
            shown = F.interpolate(drawn, (self.side, self.side), mode="bilinear", antialias=True)
            session.add_mask_inputs(session.obj_id_to_idx(value), 0, (shown >= 0.5).float())
        session.obj_with_new_inputs = list(masks)
        walk = Sam2Tracker(self.network, session, slices, frame, self.compute)
        walk.see(key)
        return walk


@dataclass(frozen=True, eq=False)
class Sam2Tracker:
    """One way through the volume; slices are numbered as they are seen, so the way down is a video too."""

    network: Any
    session: Any
    slices: npt.NDArray[np.uint8]
    frame: Frame
    compute: Compute

    def step(self, k: int, before: Mapping[int, Mask]) -> dict[int, Answer]:
        """What memory makes of slice `k`; the structures that are no longer followed are left out."""
        found = self.see(k)
        logits = found.pred_masks[:, 0]
        # How sure the model is that the structure is there at all.
        present = torch.sigmoid(found.object_score_logits.flatten().float()).tolist()
        answers = dict(zip(found.object_ids, self.frame.answers(logits, present), strict=True))
        return {value: answers[value] for value in before}

    @torch.inference_mode()
    def see(self, k: int) -> Any:
        """Show a slice."""
        pixels = photograph(self.frame.gray(self.slices[k], self.compute.device))
        number = self.session.add_new_frame(pixels)
        with self.compute.mixed():
            return self.network(inference_session=self.session, frame_idx=number)


def recognizes(signs: Signs) -> bool:
    """Whether these tensors are SAM 2's, with memory."""
    return is_sam2(signs) and has_memory(signs)


def load(weights: Weights, compute: Compute) -> Sam2Propagator:
    """The model on the device.

    Raises:
        BadCheckpoint: The tensors are not SAM 2's, or have no memory.
    """
    network = load_network(weights, video=True)
    side = network.config.prompt_encoder_config.image_size
    return Sam2Propagator(network.to(compute.device).eval(), side, compute)
