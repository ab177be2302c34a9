"""SAM 2 and 2.1 of transformers, from its own folders or from Meta's files.

Source: Ravi et al., SAM 2, 2024, https://arxiv.org/abs/2408.00714.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch

from ContrastiveSegLib.errors import BadCheckpoint
from ContrastiveSegLib.sam._checkpoint import Signs, Weights, load_exactly, read_tensors

HOW = (
    "Get sam2.1_hiera_tiny.pt (or small, base_plus, large) from Meta's SAM 2, or a folder of transformers "
    "(config.json, model.safetensors), and name it with --checkpoint."
)
LICENSE = "Apache-2.0"
SOURCE = "Ravi et al., SAM 2, 2024, https://arxiv.org/abs/2408.00714"
# Photographs' red, green and blue, 0...1.
MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# What the tensors do not show, by the width and the number of blocks of the published models.
PUBLISHED: dict[tuple[int, int], dict[str, Any]] = {
    (96, 12): {"stages": (1, 2, 7, 2), "heads": 1, "everywhere": (5, 7, 9), "windows": (8, 4, 14, 7)},
    (96, 16): {"stages": (1, 2, 11, 2), "heads": 1, "everywhere": (7, 10, 13), "windows": (8, 4, 14, 7)},
    (112, 24): {"stages": (2, 3, 16, 3), "heads": 2, "everywhere": (12, 16, 20), "windows": (8, 4, 14, 7)},
    (144, 48): {"stages": (2, 6, 36, 4), "heads": 2, "everywhere": (23, 33, 43), "windows": (8, 4, 16, 8)},
}

# Meta's names and those of transformers, one after the other.
RENAMED = (
    (r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
    (r"^image_encoder\.neck\.convs\.(\d+)\.conv\.", r"vision_encoder.neck.convs.\1."),
    (r"patch_embed\.proj\.", "patch_embed.projection."),
    (r"(blocks\.\d+\.mlp|transformer\.layers\.\d+\.mlp)\.layers\.0\.", r"\1.proj_in."),
    (r"(blocks\.\d+\.mlp|transformer\.layers\.\d+\.mlp)\.layers\.1\.", r"\1.proj_out."),
    (r"^sam_prompt_encoder\.mask_downscaling\.0\.", "prompt_encoder.mask_embed.conv1."),
    (r"^sam_prompt_encoder\.mask_downscaling\.1\.", "prompt_encoder.mask_embed.layer_norm1."),
    (r"^sam_prompt_encoder\.mask_downscaling\.3\.", "prompt_encoder.mask_embed.conv2."),
    (r"^sam_prompt_encoder\.mask_downscaling\.4\.", "prompt_encoder.mask_embed.layer_norm2."),
    (r"^sam_prompt_encoder\.mask_downscaling\.6\.", "prompt_encoder.mask_embed.conv3."),
    (r"^sam_prompt_encoder\.", "prompt_encoder."),
    (r"^sam_mask_decoder\.output_upscaling\.0\.", "mask_decoder.upscale_conv1."),
    (r"^sam_mask_decoder\.output_upscaling\.1\.", "mask_decoder.upscale_layer_norm."),
    (r"^sam_mask_decoder\.output_upscaling\.3\.", "mask_decoder.upscale_conv2."),
    (r"^sam_mask_decoder\.", "mask_decoder."),
    (r"^obj_ptr_proj\.", "object_pointer_proj."),
    (r"(_mlps\.\d|_head|object_pointer_proj)\.layers\.0\.", r"\1.proj_in."),
    (r"(_mlps\.\d|_head|object_pointer_proj)\.layers\.2\.", r"\1.proj_out."),
    (r"(_mlps\.\d|_head|object_pointer_proj)\.layers\.1\.", r"\1.layers.0."),
    (r"^memory_encoder\.fuser\.", "memory_encoder.memory_fuser."),
    (r"^memory_encoder\.pix_feat_proj\.", "memory_encoder.feature_projection."),
    (r"^memory_encoder\.out_proj\.", "memory_encoder.projection."),
    (r"\.gamma$", ".scale"),
    (r"\.dwconv\.", ".depthwise_conv."),
    (r"\.pwconv(\d)\.", r".pointwise_conv\1."),
    (r"\.norm(\d?)\.", r".layer_norm\1."),
    (r"\.norm_final_attn\.", ".layer_norm_final_attn."),
    (r"attn(\w*)\.out_proj\.", r"attn\1.o_proj."),
    (r"^maskmem_tpos_enc$", "memory_temporal_positional_encoding"),
    (r"^no_mem_embed$", "no_memory_embedding"),
    (r"^no_mem_pos_enc$", "no_memory_positional_encoding"),
    (r"^no_obj_ptr$", "no_object_pointer"),
    (r"^no_obj_embed_spatial$", "occlusion_spatial_embedding_parameter"),
    (r"^obj_ptr_tpos_proj\.", "temporal_positional_encoding_projection_layer."),
)
MASK_ENCODER = re.compile(r"^memory_encoder\.mask_downsampler\.encoder\.(\d+)\.(\w+)$")
POINTS = re.compile(r"^sam_prompt_encoder\.point_embeddings\.(\d)\.weight$")
POSITIONS = "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
PLACES = ("shared_image_embedding", "prompt_encoder.shared_embedding")


def is_sam2(signs: Signs) -> bool:
    """Whether these tensors are SAM 2's, under Meta's names or those of transformers."""
    return signs.model_type in ("sam2", "sam2_video") or "image_encoder.trunk.pos_embed" in signs.shapes


def has_memory(signs: Signs) -> bool:
    """Whether the tensors hold what follows structures from slice to slice."""
    return bool({"maskmem_tpos_enc", "memory_temporal_positional_encoding"} & set(signs.shapes))


def load_network(weights: Weights, *, video: bool) -> Any:
    """transformers' Sam2VideoModel or Sam2Model.

    Raises:
        BadCheckpoint: The tensors are not SAM 2's, or of a size that is not published.
    """
    import transformers

    tensors = read_tensors(weights.file)
    kind, config_kind = (
        (transformers.Sam2VideoModel, transformers.Sam2VideoConfig)
        if video
        else (transformers.Sam2Model, transformers.Sam2Config)
    )
    if weights.path.is_dir():
        config = config_kind.from_pretrained(weights.path, local_files_only=True)
    else:
        config = config_kind(**sizes_of(tensors, weights))
        tensors = renamed(tensors)
    network = kind(config)
    names = set(network.state_dict())
    if PLACES[0] + ".positional_embedding" in tensors:  # saved once although two parts share it
        tensors.setdefault(PLACES[1] + ".positional_embedding", tensors[PLACES[0] + ".positional_embedding"])
    # The model for slices does without the memory that the file holds.
    fitting = {name: tensor for name, tensor in tensors.items() if video or name in names}
    load_exactly(network, fitting, weights.path)
    return network


def renamed(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors under the names of transformers."""
    found: dict[str, torch.Tensor] = {}
    points: dict[int, torch.Tensor] = {}
    for name, tensor in tensors.items():
        if match := POINTS.match(name):
            points[int(match[1])] = tensor
        elif match := MASK_ENCODER.match(name):
            found[_mask_encoder(int(match[1]), match[2], tensors)] = tensor
        elif name == POSITIONS:
            found |= {f"{place}.positional_embedding": tensor for place in PLACES}
        else:
            found[_renamed(name)] = tensor
    if points:
        found["prompt_encoder.point_embed.weight"] = torch.cat([points[n] for n in sorted(points)])
    return found


def sizes_of(tensors: Mapping[str, torch.Tensor], weights: Weights) -> dict[str, Any]:
    """The configuration of one of the four published models.

    Raises:
        BadCheckpoint: It is none of them.
    """
    width = len(tensors["image_encoder.trunk.patch_embed.proj.bias"])
    blocks = len({name.split(".")[3] for name in tensors if name.startswith("image_encoder.trunk.blocks.")})
    if (width, blocks) not in PUBLISHED:
        raise BadCheckpoint(
            f"{weights.path} is a SAM 2 of {blocks} blocks and width {width}; no published one is like that.",
            "Save it as a folder of transformers (config.json, model.safetensors) and name that.",
        )
    known = PUBLISHED[width, blocks]
    widths = [width * 2**n for n in range(4)]
    background = list(tensors["image_encoder.trunk.pos_embed"].shape[2:])
    return {
        "vision_config": {
            "backbone_channel_list": widths[::-1],
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": width,
                "num_attention_heads": known["heads"],
                "blocks_per_stage": list(known["stages"]),
                "embed_dim_per_stage": widths,
                "num_attention_heads_per_stage": [known["heads"] * 2**n for n in range(4)],
                "window_size_per_stage": list(known["windows"]),
                "global_attention_blocks": list(known["everywhere"]),
                "window_positional_embedding_background_size": background,
            },
        },
        # SAM 2.1 has these, SAM 2 has not.
        "enable_occlusion_spatial_embedding": "no_obj_embed_spatial" in tensors,
        "enable_temporal_pos_encoding_for_object_pointers": "obj_ptr_tpos_proj.weight" in tensors,
    }


def photograph(gray: torch.Tensor) -> torch.Tensor:
    """Gray values (B, 1, H, W), 0...255, as the photographs SAM 2 was trained on."""
    mean, sd = (gray.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, SD))
    return (gray / 255 - mean) / sd


def _renamed(name: str) -> str:
    for pattern, replacement in RENAMED:
        name = re.sub(pattern, replacement, name)
    return name


def _mask_encoder(number: int, what: str, tensors: Mapping[str, torch.Tensor]) -> str:
    """Convolution, norm, activation, again and again, and one more convolution at the end."""
    last = max(int(match[1]) for name in tensors if (match := MASK_ENCODER.match(name)))
    part = "memory_encoder.mask_downsampler"
    if number == last:
        return f"{part}.final_conv.{what}"
    return f"{part}.layers.{number // 3}.{'layer_norm' if number % 3 else 'conv'}.{what}"
