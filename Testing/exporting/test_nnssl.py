"""A pre-trained ResEnc-L goes through nnU-Net's own loader, tensor by tensor."""

from __future__ import annotations

import subprocess

import pytest
import torch

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.networks.backbone import build_network
from ContrastiveSegLib.networks.foreign_weights import read_foreign
from ContrastiveSegLib.networks.weights import save_model
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from Testing.exporting.foreign import FOREIGN, needs_foreign

# What nnU-Net does with -pretrained_weights, on the network that the file describes.
LOAD = """
import sys, torch
from pydoc import locate
from dynamic_network_architectures.architectures.unet import ResidualEncoderUNet
from nnunetv2.run.load_pretrained_weights import load_pretrained_weights
file, result = sys.argv[1:]
plan = torch.load(file, weights_only=True)["nnssl_adaptation_plan"]
arguments = dict(plan["architecture_plans"]["arch_kwargs"])
for name in plan["architecture_plans"]["arch_kwargs_requiring_import"]:
    arguments[name] = locate(arguments[name]) if arguments[name] else None
net = ResidualEncoderUNet(plan["pretrain_num_input_channels"], num_classes=3, **arguments)
load_pretrained_weights(net, file)
torch.save(net.state_dict(), result)
"""
GRID = {"plane": "axial", "spacing": 1.0, "slice_spacing": 2.0, "patch": [8, 64, 64]}


@pytest.fixture
def a_run(tmp_path):
    """A run that pre-trained encoder and decoder of a small ResEnc-L."""
    run = RunFolder(tmp_path / "run")
    run.create()
    run.settings.write_text("{}", encoding="utf-8")
    _pretrain(run, "resenc_unet", ("encoder", "decoder"))
    return run


def _pretrain(run: RunFolder, name: str, parts: tuple[str, ...]) -> None:
    pools = [[1, 2, 2], [2, 2, 2], [1, 2, 2], [1, 2, 2]]
    arguments = {"in_channels": 2, "classes": 2, "base_channels": 4, "spatial_dims": 3, "pools": pools}
    network = build_network(name, seed=7, **arguments)
    save_model(ModelFolder(run.pretrain), network, name=name, arguments=arguments, parts=parts, grid=GRID)


def _export(run, output) -> int:
    return main(["export", str(run.path), "--to", "nnssl", "--output", str(output)])


@needs_foreign
def test_nnunet_loads_every_tensor_of_encoder_and_decoder(a_run, tmp_path):
    assert _export(a_run, tmp_path / "model.pth") == 0

    command = [str(FOREIGN), "-c", LOAD, str(tmp_path / "model.pth"), str(tmp_path / "loaded.pt")]
    subprocess.run(command, check=True, timeout=300, cwd=tmp_path)

    theirs = torch.load(tmp_path / "loaded.pt", weights_only=True)
    given = torch.load(tmp_path / "model.pth", weights_only=True)["network_weights"]
    assert all(torch.equal(theirs[name], tensor) for name, tensor in given.items())
    assert {name for name in theirs if name not in given} == {n for n in theirs if "seg_layers" in n}


def test_the_file_is_read_back_with_the_same_tensors(a_run, tmp_path, make_network, capsys):
    assert _export(a_run, tmp_path / "model.pth") == 0
    assert _export(a_run, tmp_path / "model.pth") == 1
    assert "exists already" in capsys.readouterr().err
    pools = [[1, 2, 2], [2, 2, 2], [1, 2, 2], [1, 2, 2]]
    network = make_network("resenc_unet", spatial_dims=3, in_channels=2, pools=pools)

    loaded = read_foreign(tmp_path / "model.pth").load_into(network)

    source = build_network("resenc_unet", seed=7, in_channels=2, base_channels=4, spatial_dims=3, pools=pools)
    for name, tensor in source.state_dict().items():
        assert name.startswith("head.") or torch.equal(network.state_dict()[name], tensor), name
    assert loaded.unused == ()


def test_another_network_and_no_pretraining_are_sentences(a_run, tmp_path, capsys):
    _pretrain(a_run, "dynunet", ("encoder",))

    assert _export(a_run, tmp_path / "model.pth") == 1

    assert "Pre-train with --network resenc_unet." in capsys.readouterr().err
    assert not (tmp_path / "model.pth").exists()
