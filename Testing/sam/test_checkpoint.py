"""Weights are identified before they are used, and nothing in them is run."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from ContrastiveSegLib.errors import BadCheckpoint, BadSetting, TooLarge
from ContrastiveSegLib.sam import _checkpoint, catalog
from ContrastiveSegLib.sam._checkpoint import find_weights, load_exactly, read_signs, read_tensors
from ContrastiveSegLib.sam._model import Card
from ContrastiveSegLib.sam.catalog import choose_family, list_families, load_family, recognize

CARD = Card("masks", "Apache-2.0", ("transformers",), {"00ff": "Nothing"}, "Ask for it.", "Nobody, 2026")


@pytest.fixture
def a_checkpoint(tmp_path: Path) -> Path:
    """Tensors of no family."""
    path = tmp_path / "weights.pt"
    torch.save({"model": {"module.layer.weight": torch.eye(2)}}, path)
    return path


def test_tensors_come_out_of_the_wrapping_of_training_scripts(a_checkpoint: Path) -> None:
    assert list(read_tensors(a_checkpoint)) == ["layer.weight"]


def test_safetensors_are_read_too_and_their_shapes_without_them(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"a": torch.zeros(2, 3)}, path)

    assert read_signs(path).shapes == {"a": (2, 3)}
    torch.testing.assert_close(read_tensors(path)["a"], torch.zeros(2, 3))


def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    path = tmp_path / "weights.pt"
    torch.save({"a": Runs()}, path)

    with pytest.raises(BadCheckpoint, match=r"holds more than weights.*could run foreign code"):
        read_tensors(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"not weights at all", pickle.dumps([1, 2])])
def test_a_file_of_something_else_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)

    with pytest.raises(BadCheckpoint, match=r"weights\.pth"):
        read_tensors(path)


def test_a_cut_off_file_is_refused(a_checkpoint: Path) -> None:
    a_checkpoint.write_bytes(a_checkpoint.read_bytes()[:-200])

    with pytest.raises(BadCheckpoint, match=r"weights\.pt cannot be read as weights"):
        read_tensors(a_checkpoint)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match=r"gone\.pt cannot be read as weights: No such file"):
        find_weights(CARD, tmp_path / "gone.pt")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match=r"config\.json is missing or damaged"):
        read_signs(tmp_path)


def test_no_checkpoint_says_how_to_get_one() -> None:
    with pytest.raises(BadCheckpoint, match=r"No weights were named.*Ask for it\."):
        find_weights(CARD, None)


def test_the_checksum_is_that_of_the_file(a_checkpoint: Path) -> None:
    expected = hashlib.sha256(a_checkpoint.read_bytes()).hexdigest()

    weights = find_weights(CARD, a_checkpoint, checksum=expected.upper())

    assert weights.sha256 == expected
    assert weights.known_as == ""
    assert "not a checksum that this program knows" in weights.describe()


def test_a_checkpoint_that_every_family_asks_about_is_read_once(
    a_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    monkeypatch.setattr(
        _checkpoint.hashlib, "sha256", lambda *content: reads.append("") or hashlib.new("sha256", *content)
    )
    for family in list_families():
        _checkpoint.identify(a_checkpoint, family.card.known)

    assert len(reads) == 1
    a_checkpoint.write_bytes(b"anything else")
    expected = hashlib.new("sha256", b"anything else").hexdigest()
    assert _checkpoint.identify(a_checkpoint, {}).sha256 == expected


def test_another_checksum_than_the_expected_is_refused(a_checkpoint: Path) -> None:
    with pytest.raises(BadCheckpoint, match=f"expected was {'ab' * 32}"):
        find_weights(CARD, a_checkpoint, checksum="ab" * 32)


def test_damaged_weights_of_a_package_are_refused(a_checkpoint: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(_checkpoint, "carried_weights", lambda _card: a_checkpoint)

    with pytest.raises(BadCheckpoint, match="the published weights begin with 00ff"):
        find_weights(CARD, None)


def test_a_model_larger_than_the_memory_is_not_loaded(a_checkpoint: Path, monkeypatch: Any) -> None:
    free = SimpleNamespace(available=10)
    monkeypatch.setattr(_checkpoint.psutil, "virtual_memory", lambda: free)

    with pytest.raises(TooLarge, match=r"weights\.pt needs about 0 MB of memory; 0 MB are free"):
        read_tensors(a_checkpoint)


def test_tensors_that_are_missing_too_many_or_of_another_size_are_named(tmp_path: Path) -> None:
    network = torch.nn.Linear(2, 3)

    with pytest.raises(BadCheckpoint, match="bias is missing, other is too many"):
        load_exactly(network, {"weight": torch.zeros(3, 2), "other": torch.zeros(1)}, tmp_path)
    with pytest.raises(BadCheckpoint, match="size mismatch for weight"):
        load_exactly(network, {"weight": torch.zeros(9, 2), "bias": torch.zeros(3)}, tmp_path)


def test_every_family_has_a_caption_a_license_and_a_way_to_its_weights() -> None:
    families = {family.name: family for family in list_families()}

    assert {"sam", "mobile_sam", "lite_medsam", "medsam", "sam2", "sam2_video"} <= set(families)
    for family in families.values():
        assert family.caption
        assert family.card.license
        assert family.card.how
        assert family.card.makes in ("masks", "volumes")


def test_an_unknown_family_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadSetting, match=r"no promptable model 'sam3'\..*lite_medsam.*sam2_video"):
        choose_family("sam3", None, makes=("masks",))


def test_a_family_for_volumes_cannot_refine() -> None:
    with pytest.raises(BadSetting, match=r"sam2_video follows a structure.*Choose lite_medsam"):
        choose_family("sam2_video", None, makes=("masks",))


def test_tensors_of_no_family_are_refused(a_checkpoint: Path) -> None:
    with pytest.raises(BadCheckpoint, match=r"holds 1 tensors that no family here knows \(first: layer"):
        recognize(a_checkpoint)


def test_a_checkpoint_is_recognized_and_refused_by_another_family(
    a_sam_folder: Path, a_sam2_folder: Path, a_compute: Any
) -> None:
    assert recognize(a_sam_folder).name == "sam"
    assert recognize(a_sam2_folder).name == "sam2"
    assert recognize(a_sam2_folder, makes=("volumes", "masks")).name == "sam2_video"
    asked = choose_family("mobile_sam", a_sam_folder, makes=("masks",))
    with pytest.raises(BadCheckpoint, match=r"is a checkpoint of sam, not of mobile_sam.*Choose --model sam"):
        load_family(asked, a_sam_folder, a_compute)


def test_sam_and_medsam_cannot_be_told_apart_without_a_known_checksum(tmp_path: Path) -> None:
    path = tmp_path / "some.pth"
    torch.save({"image_encoder.blocks.0.attn.rel_pos_h": torch.zeros(1)}, path)

    with pytest.raises(BadCheckpoint, match=r"may be medsam or sam.*Say which with --model"):
        recognize(path)


def test_a_missing_package_is_named_with_the_command(
    a_sam_folder: Path, a_compute: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(catalog.importlib.util, "find_spec", lambda _name: None)

    with pytest.raises(BadSetting, match=r"sam needs the Python package transformers.*pip install"):
        load_family(choose_family("sam", None, makes=("masks",)), a_sam_folder, a_compute)


def test_a_damaged_folder_is_refused(a_sam_folder: Path, tmp_path: Path) -> None:
    for file in a_sam_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "config.json").write_text(json.dumps([]))

    with pytest.raises(BadCheckpoint, match=r"config\.json is missing or damaged"):
        read_signs(tmp_path)
