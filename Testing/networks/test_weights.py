"""Weights come back as they were saved, into the right parts, or not at all."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ContrastiveSegLib.errors import BadCheckpoint, CannotWrite
from ContrastiveSegLib.networks.weights import (
    is_of,
    load_model,
    load_parts,
    read_model_card,
    save_model,
    seal_of,
)
from ContrastiveSegLib.runs.run_folder import ModelFolder

ARGUMENTS = {"in_channels": 1, "classes": 3, "base_channels": 4, "spatial_dims": 2}
EVERYTHING = ("encoder", "decoder", "head")


@pytest.fixture
def a_model_folder(a_run_folder) -> ModelFolder:
    return ModelFolder(a_run_folder.pretrain)


@pytest.fixture
def a_saved_model(a_model_folder, a_network) -> ModelFolder:
    save_model(a_model_folder, a_network, name="unet", arguments=ARGUMENTS, parts=EVERYTHING, method="pcl")
    return a_model_folder


class Trap:
    """An object that leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.trace,)


def rewrite_card(folder: ModelFolder, **changes: object) -> None:
    """Change a card as if it had been written so."""
    card = {**json.loads(folder.model.read_text()), **changes}
    folder.model.write_text(json.dumps({**card, "seal": seal_of(card)}))


def test_a_saved_network_comes_back_with_its_card(a_saved_model, a_network):
    a_network.eval()

    network, card = load_model(a_saved_model)

    images = torch.rand(1, 1, 32, 32)
    assert torch.equal(network.eval()(images), a_network(images))
    assert card["method"] == "pcl"
    assert card["arguments"] == ARGUMENTS
    assert card["parts"] == list(EVERYTHING)


def test_only_the_named_parts_are_written(a_model_folder, a_network):
    save_model(a_model_folder, a_network, name="unet", arguments=ARGUMENTS, parts=("encoder", "decoder.0"))

    names = load_file(a_model_folder.weights)

    assert {name.split(".")[0] for name in names} == {"encoder", "decoder"}
    assert {name.split(".")[1] for name in names if name.startswith("decoder")} == {"0"}


def test_an_encoder_moves_into_a_network_with_other_classes(a_model_folder, a_network, make_network):
    save_model(a_model_folder, a_network, name="unet", arguments=ARGUMENTS, parts=("encoder",))
    target = make_network(seed=9, classes=7)
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}

    loaded = load_parts(target, a_model_folder)

    after = target.state_dict()
    assert set(loaded) == {name for name in after if name.startswith("encoder.")}
    assert all(torch.equal(after[name], a_network.state_dict()[name]) for name in loaded)
    assert all(torch.equal(after[name], before[name]) for name in set(after) - set(loaded))


def test_decoder_1_is_no_part_of_decoder_10():
    assert is_of("decoder.1.up.weight", ("encoder", "decoder.1"))
    assert is_of("decoder.1.up.weight", ("decoder",))
    assert not is_of("decoder.10.up.weight", ("decoder.1",))


def test_a_network_of_another_width_is_refused_with_both_shapes(a_saved_model, make_network):
    with pytest.raises(BadCheckpoint, match=r"32 there, 64 expected\. Choose the same network, base chan"):
        load_parts(make_network(base_channels=8), a_saved_model)


def test_a_network_of_other_channels_is_refused(a_saved_model, make_network):
    with pytest.raises(BadCheckpoint, match=r"4 x 1 x 3 x 3 there, 4 x 2 x 3 x 3 expected"):
        load_parts(make_network(in_channels=2), a_saved_model)


def test_another_network_is_refused(a_saved_model, make_network):
    with pytest.raises(BadCheckpoint, match=r"do not fit the network unet.*missing there"):
        load_parts(make_network("monai_basic_unet"), a_saved_model)


def test_an_encoder_alone_is_no_whole_model(a_model_folder, a_network):
    save_model(a_model_folder, a_network, name="unet", arguments=ARGUMENTS, parts=("encoder",))

    with pytest.raises(BadCheckpoint, match=r"decoder\.\S+ is missing there"):
        load_model(a_model_folder)


def test_one_changed_bit_is_noticed(a_saved_model):
    payload = bytearray(a_saved_model.weights.read_bytes())
    payload[-1] ^= 1
    a_saved_model.weights.write_bytes(payload)

    with pytest.raises(
        BadCheckpoint, match=r"its checksum differs from model\.json\. Copy the run folder again"
    ):
        load_model(a_saved_model)


def test_a_pickle_is_never_opened(a_saved_model, tmp_path):
    trace = tmp_path / "trace"
    code = pickle.dumps(Trap(trace))
    a_saved_model.weights.write_bytes(code)
    rewrite_card(a_saved_model, sha256=hashlib.sha256(code).hexdigest())

    with pytest.raises(BadCheckpoint, match=r"model\.safetensors cannot be read"):
        load_model(a_saved_model)

    assert not trace.exists()
    pickle.loads(code)
    assert trace.exists()


def test_missing_weights_are_reported(a_saved_model):
    a_saved_model.weights.unlink()

    with pytest.raises(BadCheckpoint, match=r"model\.safetensors cannot be read.*Copy the run folder again"):
        load_model(a_saved_model)


def test_another_format_version_is_refused(a_saved_model):
    rewrite_card(a_saved_model, format=99)

    with pytest.raises(BadCheckpoint, match=r"has format version 99, this program reads version 2"):
        read_model_card(a_saved_model)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}'])
def test_a_damaged_model_card_is_refused(a_saved_model, text):
    a_saved_model.model.write_text(text)

    with pytest.raises(BadCheckpoint, match=r"model\.json"):
        load_model(a_saved_model)


def test_a_model_that_was_never_trained_is_reported(a_model_folder):
    with pytest.raises(BadCheckpoint, match=r"no readable model at .*model\.json.*Train first"):
        read_model_card(a_model_folder)


def test_a_file_in_the_way_is_reported(a_model_folder, a_network):
    a_model_folder.path.write_text("")

    with pytest.raises(CannotWrite, match=str(a_model_folder.path.name)):
        save_model(a_model_folder, a_network, name="unet", arguments=ARGUMENTS, parts=("encoder",))


@pytest.mark.parametrize(
    "change",
    [
        {"labels": {"structures": [{"value": 1, "name": "spleen"}, {"value": 2, "name": "liver"}]}},
        {"grid": {"spacing": 3.0}},
        {"mirrored": True},
        {"arguments": {**ARGUMENTS, "classes": 4}},
        {"more": None},
    ],
)
def test_a_model_card_that_was_changed_is_refused(a_model_folder, a_network, change):
    labels = {"structures": [{"value": 1, "name": "liver"}, {"value": 2, "name": "spleen"}]}
    facts = {"labels": labels, "grid": {"spacing": 1.5}, "mirrored": False}
    save_model(a_model_folder, a_network, name="unet", arguments=ARGUMENTS, parts=EVERYTHING, **facts)
    card = json.loads(a_model_folder.model.read_text())
    a_model_folder.model.write_text(json.dumps({**card, **change}))

    with pytest.raises(BadCheckpoint, match=r"is not as it was written.*Copy the run folder again"):
        load_model(a_model_folder)


def test_a_model_card_of_the_first_version_has_no_seal_and_opens(a_saved_model):
    card = json.loads(a_saved_model.model.read_text())
    del card["seal"]
    a_saved_model.model.write_text(json.dumps(card, indent=4, sort_keys=True))

    assert load_model(a_saved_model)[1] == card


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": {"widht": 4}},
        {"arguments": []},
        {"arguments": {**ARGUMENTS, "base_channels": -1}},
        {"network": "nothing"},
        {"network": None},
        {"parts": 3},
    ],
)
def test_a_model_card_without_seal_that_describes_no_model_is_refused_in_words(a_saved_model, change):
    card = {**json.loads(a_saved_model.model.read_text()), **change}
    del card["seal"]
    a_saved_model.model.write_text(json.dumps(card))

    with pytest.raises(BadCheckpoint, match=r"model"):
        load_parts(load_model(a_saved_model)[0], a_saved_model)


def test_a_model_card_with_the_earlier_name_of_base_channels_is_read(a_saved_model, a_network):
    arguments = {"width" if name == "base_channels" else name: value for name, value in ARGUMENTS.items()}
    rewrite_card(a_saved_model, arguments=arguments)

    network, card = load_model(a_saved_model)

    assert network.widths == a_network.widths
    assert card["arguments"] == ARGUMENTS
