"""Checkpoint of nnssl: the pre-trained network as nnU-Net takes it with -pretrained_weights.

Source: nnssl, adaptation_planning/adaptation_plan.py; nnU-Net 2.8, run/load_pretrained_weights.py. This
asks for every tensor but the segmentation layers, also under its second names.
"""

from __future__ import annotations

import io
import re
from typing import Any

import torch
from torch import Tensor

from ContrastiveSegLib.errors import BadCheckpoint, CannotWrite
from ContrastiveSegLib.exporting._format import Exported
from ContrastiveSegLib.networks.backbone import Backbone, build_network
from ContrastiveSegLib.networks.resenc_unet import BLOCKS, steps_of
from ContrastiveSegLib.networks.weights import load_parts, read_model_card
from ContrastiveSegLib.runs.atomic_write import make_folder, write_atomically
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from ContrastiveSegLib.session.reporter import Reporter
from ContrastiveSegLib.settings.job_settings import ExportSettings

NETWORK = "resenc_unet"
NAMES = (
    (r"^decoder\.(\d+)\.up\.", r"decoder.transpconvs.\1."),
    (r"^decoder\.(\d+)\.stage\.", r"decoder.stages.\1."),
)
FILE = "checkpoint_pretrained.pth"


def export(run: RunFolder, settings: ExportSettings, reporter: Reporter) -> Exported:
    """Write the pre-trained network into a new file, or into a file in a folder that exists.

    Raises:
        BadCheckpoint: Nothing is pre-trained, or with a network that nnU-Net does not have.
        CannotWrite: The file exists, or the disk refuses.
    """
    file = settings.output / FILE if settings.output.is_dir() else settings.output
    if file.exists():
        raise CannotWrite(f"{file} exists already.", "Choose another name.")
    source = ModelFolder(run.pretrain)
    card = read_model_card(source)
    if card["network"] != NETWORK:
        raise BadCheckpoint(
            f"{run.path} pre-trained the network {card['network']}, which nnU-Net does not have.",
            f"Pre-train with --network {NETWORK}.",
        )
    network = build_network(NETWORK, seed=0, **card["arguments"])
    loaded = load_parts(network, source)
    if not any(name.startswith("decoder.") for name in loaded):
        reporter.warn("Only the encoder was pre-trained; the decoder in the file is drawn at random.")
    content = io.BytesIO()
    torch.save(
        {
            "network_weights": _tensors(network),
            "nnssl_adaptation_plan": _plan(network, card),
            "pretrained_tensors": sorted(_their_name(name) for name in loaded),
        },
        content,
    )
    make_folder(file.parent)
    write_atomically(file, content.getvalue())
    words = f"The pre-trained network is in {file}. Next: nnUNetv2_train ... -pretrained_weights {file}"
    return Exported(file, words)


def _tensors(network: Backbone) -> dict[str, Tensor]:
    """All tensors under their names in nnU-Net, and once more under the second names that it asks for."""
    own = {k: v.contiguous() for k, v in network.state_dict().items() if not k.startswith("head.")}
    tensors = {_their_name(name): tensor for name, tensor in own.items()}
    for name, tensor in list(tensors.items()):
        second = re.sub(r"\.conv\.(?=weight|bias)", ".all_modules.0.", name)
        tensors[re.sub(r"\.norm\.(?=weight|bias)", ".all_modules.1.", second)] = tensor
    encoder = {name: tensor for name, tensor in tensors.items() if name.startswith("encoder.")}
    return {**tensors, **{f"decoder.{name}": tensor for name, tensor in encoder.items()}}


def _their_name(name: str) -> str:
    for pattern, theirs in NAMES:
        name = re.sub(pattern, theirs, name)
    return name


def _plan(network: Backbone, card: dict[str, Any]) -> dict[str, Any]:
    """What nnssl needs to build the network again."""
    grid, arguments = card["grid"], card["arguments"]
    dims = arguments["spatial_dims"]
    architecture = {
        "n_stages": len(BLOCKS),
        "features_per_stage": list(network.widths),
        "conv_op": f"torch.nn.modules.conv.Conv{dims}d",
        "kernel_sizes": [[3] * dims for _ in BLOCKS],
        "strides": [list(step) for step in steps_of(arguments.get("pools"), dims)],
        "n_blocks_per_stage": list(BLOCKS),
        "n_conv_per_stage_decoder": [1] * (len(BLOCKS) - 1),
        "conv_bias": True,
        "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{dims}d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    return {
        "architecture_plans": {
            "arch_class_name": "ResidualEncoderUNet",
            "arch_kwargs": architecture,
            "arch_kwargs_requiring_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
        "pretrain_plan": {"spacing": grid["spacing"], "slice_spacing": grid["slice_spacing"]},
        "pretrain_num_input_channels": network.in_channels,
        "recommended_downstream_patchsize": list(grid["patch"]),
        "key_to_encoder": "encoder.stages",
        "key_to_stem": "encoder.stem",
    }
