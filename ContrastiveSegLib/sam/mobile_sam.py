"""MobileSAM: SAM for photographs with a small image encoder."""

from __future__ import annotations

from ContrastiveSegLib.sam._checkpoint import Signs, Weights, load_exactly, read_tensors
from ContrastiveSegLib.sam._model import Card
from ContrastiveSegLib.sam._sam_network import SamModel, decoder_only, photograph, renamed_decoder
from ContrastiveSegLib.sam._tiny_vit import TinyViT
from ContrastiveSegLib.session.device import Compute

CARD = Card(
    makes="masks",
    license="Apache-2.0",
    packages=("transformers",),
    known={"6dbb90523a35330f": "MobileSAM"},
    how="Get mobile_sam.pt from the authors of MobileSAM and name it with --checkpoint.",
    source="Zhang et al., Faster Segment Anything, 2023, https://arxiv.org/abs/2306.14289",
    photographs=True,
)
SIDE, STRIDE = 1024, 16


def recognizes(signs: Signs) -> bool:
    """Whether these tensors are MobileSAM's: TinyViT behind a stem that halves the image twice."""
    return signs.shapes.get("image_encoder.patch_embed.seq.0.c.weight", ())[2:] == (3, 3)


def load(weights: Weights, compute: Compute) -> SamModel:
    """The model on the device.

    Raises:
        BadCheckpoint: The tensors are not MobileSAM's.
    """
    network = decoder_only(SIDE, STRIDE, TinyViT(stem_stride=4))
    load_exactly(network, renamed_decoder(read_tensors(weights.file)), weights.path)
    return SamModel(network.to(compute.device).eval(), SIDE, photograph, compute)
