"""MedSAM: SAM ViT-B trained on medical images; its file looks like SAM's, so it must be chosen by name."""

from __future__ import annotations

from ContrastiveSegLib.sam._checkpoint import Signs, Weights
from ContrastiveSegLib.sam._model import Card
from ContrastiveSegLib.sam._sam_network import SamModel, unit_range
from ContrastiveSegLib.sam.sam import load_network
from ContrastiveSegLib.session.device import Compute

CARD = Card(
    makes="masks",
    license="Apache-2.0",
    packages=("transformers",),
    known={},
    how="Get medsam_vit_b.pth from the authors of MedSAM and name it with --model medsam --checkpoint.",
    source="Ma et al., Segment anything in medical images, Nat Commun 2024, doi 10.1038/s41467-024-44824-z",
)


def recognizes(signs: Signs) -> bool:
    """Whether these tensors may be MedSAM's: they have the names and shapes of SAM's."""
    return "image_encoder.blocks.0.attn.rel_pos_h" in signs.shapes


def load(weights: Weights, compute: Compute) -> SamModel:
    """The model on the device.

    Raises:
        BadCheckpoint: The tensors are not MedSAM's.
    """
    network = load_network(weights)
    side = network.config.vision_config.image_size
    return SamModel(network.to(compute.device).eval(), side, unit_range, compute)
