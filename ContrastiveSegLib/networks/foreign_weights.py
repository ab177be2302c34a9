"""Weights of other programs: the network they belong to, and their tensors under our names.

Source: nnU-Net 2.8 (`network_weights` of a checkpoint), nnssl (`nnssl_adaptation_plan` beside them), MONAI's
SwinUNETR.load_from (self-supervised Swin weights), VoCo's README (the names of MONAI's SwinUNETR, version 2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ContrastiveSegLib.errors import BadCheckpoint
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.runs.run_folder import ModelFolder

# Put before all names by programs that train on several cards, or compile.
WRAPPERS = re.compile(r"^(module\.|_orig_mod\.|backbone\.|swinViT\.)+")
KNOWN = "ResEnc-L and plain U-Nets of nnU-Net and nnssl, and Swin UNETR weights of MONAI and VoCo"
# The same tensors under second names, or what is computed and not learned.
TWINS = re.compile(r"all_modules|^decoder\.encoder\.|relative_position_index|seg_layers")
HARMLESS = (np.dtype, type(np.dtype(np.float64)), type(np.dtype(np.float32)), type(np.dtype(np.int64)))


@dataclass(frozen=True)
class Layout:
    """How a foreign program names the tensors of one of our networks.

    Args:
        network: Our name for it.
        mark: A tensor that tells it from the others; its first axis are the base channels.
        names: Patterns of foreign names, and what they are here.
        encoder: Which of our tensors such a file must have, completely.
        leftovers: Which tensors of its encoder have no place here, and change nothing of what is loaded.
    """

    network: str
    mark: str
    names: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...]
    encoder: str
    leftovers: str


NONE = r"(?!)"
# Of MONAI's SwinUNETR; a file may hold the attention alone.
SWIN = (
    (r"patch_embed\.", "encoder.tokens."),
    (r"layers(\d)\.0\.", lambda found: f"encoder.stages.{int(found[1]) - 1}."),
    (r"layers(\d)c\.0\.", lambda found: f"encoder.convolutions.{int(found[1]) - 1}."),
    (r"encoder(10|[1-4])\.(?=layer\.)", lambda found: f"encoder.skips.{min(int(found[1]), 6) - 1}."),
    (r"decoder([1-5])\.(?=transp_conv|conv_block)", lambda found: f"decoder.{5 - int(found[1])}."),
    (r"mlp\.fc(\d)\.", r"mlp.linear\1."),
)
LAYOUTS = (
    Layout(
        "resenc_unet",
        "encoder.stem.convs.0.conv.weight",
        (
            (r"decoder\.transpconvs\.(\d+)\.", r"decoder.\1.up."),
            (r"decoder\.stages\.(\d+)\.", r"decoder.\1.stage."),
        ),
        r"encoder\.",
        NONE,
    ),
    Layout(
        "dynunet",
        "encoder.stages.0.0.convs.0.conv.weight",
        (
            (r"encoder\.stages\.(\d+)\.0\.convs\.0\.conv\.", r"encoder.\1.conv1.conv."),
            (r"encoder\.stages\.(\d+)\.0\.convs\.1\.conv\.", r"encoder.\1.conv2.conv."),
            (r"encoder\.stages\.(\d+)\.0\.convs\.0\.norm\.", r"encoder.\1.norm1."),
            (r"encoder\.stages\.(\d+)\.0\.convs\.1\.norm\.", r"encoder.\1.norm2."),
            (r"decoder\.", "theirs."),  # counted from another depth
        ),
        r"encoder\.",
        r"encoder\.(\d+\.conv\d\.conv\.bias$|[5-9]\.)",  # the norm takes it away; one level deeper
    ),
    Layout(
        "swin_unetr_v2",
        "layers1c.0.layer.conv1.conv.weight",
        SWIN,
        r"encoder\.(tokens|stages|convolutions)\.(?!.*relative_position_index)",
        NONE,
    ),
    Layout(
        "swin_unetr",
        "patch_embed.proj.weight",
        SWIN,
        r"encoder\.(tokens|stages)\.(?!.*relative_position_index)",
        NONE,
    ),
)


@dataclass(frozen=True)
class Loaded:
    """Names of our tensors that were loaded and that stay as drawn, and of theirs that have no place here."""

    loaded: tuple[str, ...]
    fresh: tuple[str, ...]
    unused: tuple[str, ...]

    def sentence(self, path: Path) -> str:
        """For the user."""
        return (
            f"{len(self.loaded)} tensors were loaded from {path}. {len(self.fresh)} of the network begin "
            f"anew, and {len(self.unused)} of the file have no place in it; events.jsonl lists them all."
        )


@dataclass(frozen=True)
class ForeignWeights:
    """A file of another program, understood to the end.

    Args:
        network: Our name for its network.
        tensors: Under our names where they have one.
    """

    path: Path
    network: str
    base_channels: int
    spatial_dims: int
    tensors: Mapping[str, Tensor]

    @property
    def model(self) -> Path:
        """The file whose content says which weights these are, as a `ModelFolder` has one."""
        return self.path

    def load_into(self, network: Backbone) -> Loaded:
        """Copy what fits; the first convolution is repeated over the channels, the head stays as drawn.

        Raises:
            BadCheckpoint: The encoder is not completely there, or of other sizes; nothing is loaded then.
        """
        own = network.state_dict()
        layout = next(layout for layout in LAYOUTS if layout.network == self.network)
        found = {name: _for_channels(self.tensors[name], own[name]) for name in own if name in self.tensors}
        fits = {name: tensor for name, tensor in found.items() if tensor.shape == own[name].shape}
        asked = [name for name in own if re.match(layout.encoder, name)]
        unused = [name for name in self.tensors if name not in fits]
        too_many = [n for n in unused if re.match(r"encoder\.", n) and not re.match(layout.leftovers, n)]
        if wrong := list(dict.fromkeys([name for name in asked if name not in fits] + too_many)):
            there, here = _size(self.tensors.get(wrong[0])), _size(own.get(wrong[0]))
            count = len({*asked, *wrong})
            raise BadCheckpoint(
                f"{self.path} does not fit the network {self.network}: of the {count} tensors of its "
                f"encoder {len(wrong)} differ, such as {wrong[0]} (got {there}, expected {here}).",
                f"Nothing was loaded. Use weights of: {KNOWN}, with the same channels and dimensions.",
            )
        network.load_state_dict({**own, **fits})
        return Loaded(tuple(fits), tuple(name for name in own if name not in fits), tuple(unused))


# What a fine-tuning may begin with: a pre-training of this program, or a file of another one.
Start = ModelFolder | ForeignWeights


def read_foreign(path: Path) -> ForeignWeights:
    """Read a file of weights, and recognize the network from its tensors.

    Raises:
        BadCheckpoint: It cannot be read without running code in it, or its network is not known here.
    """
    tensors = _tensors(path)
    layout = next((layout for layout in LAYOUTS if layout.mark in tensors), None)
    if layout is None or tensors[layout.mark].ndim not in (4, 5):
        raise BadCheckpoint(
            f"{path} holds the weights of a network that is not known here (its first tensor is "
            f"{next(iter(tensors))}).",
            f"Use weights of: {KNOWN}.",
        )
    mark = tensors[layout.mark]
    named = {_our_name(name, layout): tensor for name, tensor in tensors.items() if not TWINS.search(name)}
    return ForeignWeights(path, layout.network, mark.shape[0], mark.ndim - 2, named)


def _our_name(name: str, layout: Layout) -> str:
    for pattern, ours in layout.names:
        name = re.sub(rf"(?:^|(?<=\.)){pattern}", ours, name)
    return name


def _tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file under their own names, without what programs put before all of them."""
    scalar: Any = np.float64(0).__reduce__()[0]
    try:
        with torch.serialization.safe_globals([scalar, *HARMLESS]):  # numbers in the logs of nnU-Net
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise BadCheckpoint(
            f"{path} cannot be read as weights: it is damaged, or holds more than weights, which could run "
            f"foreign code ({type(error).__name__}).",
            "Save its weights alone, with torch.save(state_dict, file), or get the file anew.",
        ) from error
    for key in ("network_weights", "state_dict"):
        content = content.get(key, content) if isinstance(content, dict) else content
    found: dict[str, Any] = content if isinstance(content, dict) else {}
    tensors = {
        WRAPPERS.sub("", str(name)): value for name, value in found.items() if isinstance(value, Tensor)
    }
    if not tensors:
        raise BadCheckpoint(f"There are no weights in {path}.", f"Use weights of: {KNOWN}.")
    return tensors


def _size(tensor: Tensor | None) -> str:
    return "nothing" if tensor is None else " x ".join(map(str, tensor.shape))


def _for_channels(tensor: Tensor, own: Tensor) -> Tensor:
    """A first convolution of one channel, shared evenly by several: its sums stay as they were."""
    if tensor.ndim != own.ndim or tensor.ndim < 4 or tensor.shape[1] == own.shape[1]:
        return tensor
    is_first = tensor.shape[:2] == (own.shape[0], 1)
    return tensor.repeat(1, own.shape[1], *(1,) * (own.ndim - 2)) / own.shape[1] if is_first else tensor
