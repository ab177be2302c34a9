"""SAM: Segment Anything, first generation (ViT-B, L or H)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ContrastiveSegLib.sam._checkpoint import Signs, Weights, load_exactly, read_tensors
from ContrastiveSegLib.sam._model import Card
from ContrastiveSegLib.sam._sam_network import SamModel, photograph, renamed
from ContrastiveSegLib.session.device import Compute

CARD = Card(
    makes="masks",
    license="Apache-2.0",
    packages=("transformers",),
    # Meta's file names begin the checksum: sam_vit_b_01ec64.pth.
    known={"01ec64": "SAM ViT-B", "0b3195": "SAM ViT-L", "4b8939": "SAM ViT-H"},
    how="Get sam_vit_b_01ec64.pth (or _l_, _h_) from Meta's segment-anything, or a folder of transformers "
    "(config.json, model.safetensors), and name it with --checkpoint.",
    source="Kirillov et al., Segment Anything, ICCV 2023, https://arxiv.org/abs/2304.02643",
    photographs=True,
)
POSITIONS = "shared_image_embedding.positional_embedding"
POSITIONS_AGAIN = "prompt_encoder.shared_embedding.positional_embedding"


def recognizes(signs: Signs) -> bool:
    """Whether these tensors are SAM's, under Meta's names or those of transformers."""
    return signs.model_type == "sam" or "image_encoder.blocks.0.attn.rel_pos_h" in signs.shapes


def load(weights: Weights, compute: Compute) -> SamModel:
    """The model on the device.

    Raises:
        BadCheckpoint: The tensors are not SAM's.
    """
    network = load_network(weights)
    side = network.config.vision_config.image_size
    return SamModel(network.to(compute.device).eval(), side, photograph, compute)


def load_network(weights: Weights) -> Any:
    """transformers' SamModel, from its own folder or from Meta's file; the size is read off the tensors."""
    import transformers

    tensors = read_tensors(weights.file)
    if weights.path.is_dir():
        config = transformers.SamConfig.from_pretrained(weights.path, local_files_only=True)
    else:
        tensors = renamed(tensors)
        config = transformers.SamConfig(**sizes_of({name: tuple(t.shape) for name, t in tensors.items()}))
    # Not `from_pretrained`: it fills what is missing with random numbers.
    network = transformers.SamModel(config)
    if POSITIONS in tensors:  # transformers saves the positions that two parts share only once
        tensors.setdefault(POSITIONS_AGAIN, tensors[POSITIONS])
    load_exactly(network, tensors, weights.path)
    return network


def sizes_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """The sizes of a SAM whose tensors have these names (of transformers) and shapes."""
    encoder = "vision_encoder"
    patch = shapes[f"{encoder}.patch_embed.projection.weight"][-1]
    grid, width = shapes[f"{encoder}.pos_embed"][2:]
    layers = 1 + max(int(n.split(".")[2]) for n in shapes if n.startswith(f"{encoder}.layers."))
    reach = [shapes[f"{encoder}.layers.{n}.attn.rel_pos_h"] for n in range(layers)]
    everywhere = [n for n in range(layers) if reach[n][0] == 2 * grid - 1]
    windows = [(reach[n][0] + 1) // 2 for n in range(layers) if n not in everywhere]
    out = shapes[f"{encoder}.neck.conv1.weight"][0]
    return {
        "vision_config": {
            "hidden_size": width,
            "num_hidden_layers": layers,
            "num_attention_heads": width // reach[0][1],
            "mlp_dim": shapes[f"{encoder}.layers.0.mlp.lin1.weight"][0],
            "image_size": grid * patch,
            "patch_size": patch,
            "window_size": windows[0] if windows else 0,
            "global_attn_indexes": everywhere,
            "output_channels": out,
            "num_pos_feats": out // 2,
        },
        "prompt_encoder_config": {"hidden_size": out, "image_size": grid * patch, "patch_size": patch},
        "mask_decoder_config": {
            "hidden_size": out,
            "mlp_dim": shapes["mask_decoder.transformer.layers.0.mlp.lin1.weight"][0],
            "iou_head_hidden_dim": shapes["mask_decoder.iou_prediction_head.proj_in.weight"][0],
        },
    }
