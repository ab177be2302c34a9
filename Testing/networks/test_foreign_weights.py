"""Weights of nnU-Net, nnssl and MONAI: recognized from the file, loaded completely or not at all."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.networks.nets import SwinUNETR
from monai.networks.nets import swin_unetr as monai_swin

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.errors import BadCheckpoint
from ContrastiveSegLib.networks.foreign_weights import read_foreign
from ContrastiveSegLib.runs.events import read_new
from Testing.exporting.foreign import FOREIGN, needs_foreign
from Testing.networks.test_swin_unetr import move_channels

# Makes a network of nnU-Net, and keeps what its encoder says of an image.
MAKE = """
import sys, torch
from torch import nn
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
kind, file, told = sys.argv[1:]
torch.manual_seed(0)
shared = dict(conv_op=nn.Conv3d, kernel_sizes=3, strides=[1, 2, 2, 2, 2, 2], num_classes=3, conv_bias=True,
    norm_op=nn.InstanceNorm3d, norm_op_kwargs={"affine": True}, nonlin=nn.LeakyReLU,
    nonlin_kwargs={"inplace": True}, n_conv_per_stage_decoder=1)
features = [4, 8, 16, 32, 64, 128]
if kind == "resenc":
    net = ResidualEncoderUNet(1, 6, features, n_blocks_per_stage=[1, 3, 4, 6, 6, 6], **shared)
else:
    net = PlainConvUNet(1, 6, features, n_conv_per_stage=2, **shared)
for tensor in net.parameters():
    nn.init.normal_(tensor, std=0.1)
plan = {"key_to_encoder": "encoder.stages"}
torch.save({"network_weights": net.state_dict(), "nnssl_adaptation_plan": plan}, file)
image = torch.linspace(0, 1, 64**3).reshape(1, 1, 64, 64, 64)
torch.save([image, *net.encoder(image)], told)
"""


def _made_by_nnunet(kind: str, folder: Path) -> tuple[Path, list[torch.Tensor]]:
    file, told = folder / "checkpoint.pth", folder / "features.pt"
    subprocess.run([str(FOREIGN), "-c", MAKE, kind, str(file), str(told)], check=True, timeout=300)
    return file, torch.load(told, weights_only=True)


@needs_foreign
@pytest.mark.parametrize(("kind", "name", "levels"), [("resenc", "resenc_unet", 6), ("plain", "dynunet", 5)])
def test_the_encoder_of_nnunet_says_the_same_here(kind, name, levels, tmp_path, make_network):
    file, (image, *features) = _made_by_nnunet(kind, tmp_path)
    weights = read_foreign(file)

    network = make_network(weights.network, base_channels=weights.base_channels, spatial_dims=3)
    loaded = weights.load_into(network)

    assert (weights.network, weights.base_channels, weights.spatial_dims) == (name, 4, 3)
    with torch.no_grad():
        found = network.eval().encode(image)
    for mine, theirs in zip(found, features[:levels], strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=1e-4)
    assert all(n.startswith(("head.", "decoder.")) for n in loaded.fresh)
    assert not any("seg_layers" in n for n in loaded.loaded)


@pytest.fixture
def a_file(tmp_path, make_network):
    """The encoder of a ResEnc-L under nnU-Net's names, written by hand."""
    network = make_network("resenc_unet", spatial_dims=3, seed=3)
    tensors = {f"module.{k}": v for k, v in network.state_dict().items() if k.startswith("encoder.")}
    file = tmp_path / "encoder.pth"
    torch.save({"network_weights": tensors, "logging": {"loss": [np.float64(0.5)]}}, file)
    return file


def test_the_first_convolution_is_repeated_over_the_channels(a_file, make_network):
    weights = read_foreign(a_file)
    network = make_network("resenc_unet", spatial_dims=3, in_channels=2)

    loaded = weights.load_into(network)

    stem = "encoder.stem.convs.0.conv.weight"
    assert torch.equal(network.state_dict()[stem][:, 1:], weights.tensors[stem] / 2)
    assert set(loaded.fresh) == {n for n in network.state_dict() if not n.startswith("encoder.")}


def test_half_matching_weights_are_refused_and_nothing_is_loaded(a_file, tmp_path, make_network):
    content = torch.load(a_file, weights_only=False)["network_weights"]
    more = {**content, "encoder.stages.2.blocks.4.conv1.conv.weight": torch.zeros(2)}
    less = {name: tensor for name, tensor in content.items() if "stages.5" not in name}
    network = make_network("resenc_unet", spatial_dims=3)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    for tensors in (more, less):
        torch.save({"network_weights": tensors}, tmp_path / "half.pth")
        with pytest.raises(BadCheckpoint, match=r"does not fit the network resenc_unet.*Nothing was loaded"):
            read_foreign(tmp_path / "half.pth").load_into(network)

    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_tensors_of_other_sizes_are_counted_once(a_file, make_network):
    network = make_network("resenc_unet", base_channels=8, spatial_dims=3)
    count = len([name for name in network.state_dict() if name.startswith("encoder.")])

    with pytest.raises(
        BadCheckpoint, match=rf"of the {count} tensors of its encoder {count} differ, such as"
    ):
        read_foreign(a_file).load_into(network)


def test_files_that_are_no_known_weights_are_a_sentence_each(tmp_path):
    torch.save({"state_dict": {"conv1.weight": torch.zeros(3)}}, tmp_path / "resnet.pt")
    torch.save({"network_weights": {}}, tmp_path / "empty.pt")
    torch.save({"network_weights": Path("x")}, tmp_path / "code.pt")
    (tmp_path / "damaged.pt").write_bytes(b"PK not really")

    said = {}
    for name in ("resnet", "empty", "code", "damaged"):
        with pytest.raises(BadCheckpoint) as error:
            read_foreign(tmp_path / f"{name}.pt")
        said[name] = str(error.value)

    assert "a network that is not known here (its first tensor is conv1.weight)" in said["resnet"]
    assert "There are no weights in" in said["empty"]
    assert "could run foreign code" in said["code"]
    assert "damaged" in said["damaged"]


def test_swin_weights_are_loaded_as_monai_loads_them(tmp_path, make_network):
    source = SwinUNETR(in_channels=1, out_channels=2, feature_size=12, spatial_dims=3)
    named = {f"module.{k}".replace("mlp.linear", "mlp.fc"): v for k, v in source.swinViT.state_dict().items()}
    torch.save({"state_dict": named}, tmp_path / "model_swinvit.pt")
    theirs = SwinUNETR(in_channels=1, out_channels=2, feature_size=12, spatial_dims=3)
    theirs.load_from({"state_dict": named})

    weights = read_foreign(tmp_path / "model_swinvit.pt")
    network = make_network("swin_unetr", base_channels=12, spatial_dims=3)
    weights.load_into(network)

    stages = [theirs.swinViT.layers1, theirs.swinViT.layers2, theirs.swinViT.layers3, theirs.swinViT.layers4]
    for mine, layer in zip(network.encoder.stages, stages, strict=True):
        for name, tensor in layer[0].state_dict().items():
            assert torch.equal(mine.state_dict()[name], tensor), name
    assert torch.equal(network.encoder.tokens.proj.weight, theirs.swinViT.patch_embed.proj.weight)


@pytest.mark.parametrize("prefix", ["", "module.backbone."])
@pytest.mark.parametrize("name", ["swin_unetr", "swin_unetr_v2"])
def test_a_whole_swin_unetr_says_the_same_here(name, prefix, tmp_path, make_network, monkeypatch):
    monkeypatch.setattr(monai_swin, "rearrange", move_channels)
    theirs = SwinUNETR(
        in_channels=1, out_channels=5, feature_size=12, spatial_dims=3, use_v2=name.endswith("v2")
    ).eval()
    tensors = {f"{prefix}{k}": v for k, v in theirs.state_dict().items()}
    torch.save({"state_dict": tensors} if prefix else tensors, tmp_path / "VoComni.pt")

    weights = read_foreign(tmp_path / "VoComni.pt")
    network = make_network(name, base_channels=12, spatial_dims=3, classes=5).eval()
    loaded = weights.load_into(network)

    assert weights.network == name
    assert (weights.base_channels, weights.spatial_dims) == (12, 3)
    assert all(n.startswith("head.") or "relative_position_index" in n for n in loaded.fresh)
    network.head.load_state_dict(theirs.out.state_dict())
    image = torch.rand(1, 1, 64, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(network(image), theirs(image), atol=1e-4, rtol=1e-4)


def test_the_encoder_of_voco_without_a_decoder_is_loaded(tmp_path, make_network):
    theirs = SwinUNETR(in_channels=1, out_channels=2, feature_size=12, spatial_dims=3, use_v2=True)
    kept = {k: v for k, v in theirs.state_dict().items() if not k.startswith(("decoder", "out"))}
    torch.save({**kept, "proj.weight": torch.zeros(2, 2)}, tmp_path / "VoCo_SSL_head.pt")

    network = make_network("swin_unetr_v2", base_channels=12, spatial_dims=3, in_channels=2)
    loaded = read_foreign(tmp_path / "VoCo_SSL_head.pt").load_into(network)

    assert loaded.unused == ("proj.weight",)
    assert all(n.startswith(("head.", "decoder.")) or "position_index" in n for n in loaded.fresh)
    first = network.encoder.skips[0].layer.conv1.conv.weight
    assert torch.equal(first[:, :1], theirs.encoder1.layer.conv1.conv.weight / 2)


def test_finetune_begins_with_a_file_and_says_what_was_loaded(a_file, phantoms, tmp_path, capsys):
    run = tmp_path / "run"
    words = ["finetune", str(run), "--labeled", str(phantoms / "labeled"), "--from", str(a_file)]
    words += ["--steps", "1", "--batch", "1", "--device", "cpu", "--strategy", "supervised", "--spacing", "6"]

    assert main(words) == 1
    assert "Add --spatial-dims 3." in capsys.readouterr().err
    assert main([*words, "--spatial-dims", "3", "--patch", "8", "64", "64"]) == 0

    events, _ = read_new(run / "events.jsonl")
    listed = next(event for event in events if event["kind"] == "weights")
    assert "encoder.stem.convs.0.conv.weight" in listed["loaded"]
    assert "tensors were loaded from" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_no_run_folder(phantoms, tmp_path, capsys):
    words = ["--labeled", str(phantoms / "labeled"), "--from", str(tmp_path / "VoCo.pt")]

    assert main(["finetune", str(tmp_path / "run"), *words]) == 1

    assert f"There is no file {tmp_path / 'VoCo.pt'}. Check the path" in capsys.readouterr().err
