"""Prediction obeys what the model card of the round says, unless the user asks for something else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.file_io.files import read_labels
from ContrastiveSegLib.inference import predictor
from ContrastiveSegLib.postprocessing.connected_components import TOUCHING


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"format": 99}, "format version 99"),
        ({"sha256": "0" * 64}, "checksum differs"),
    ],
)
def test_a_model_that_is_not_the_one_of_its_card_is_refused(
    a_run: Path,
    phantoms: Path,
    capsys: pytest.CaptureFixture[str],
    change_model_card: Callable[..., Any],
    entries: dict[str, Any],
    message: str,
) -> None:
    change_model_card(**entries)

    assert main(["predict", str(a_run), "--images", str(phantoms / "test" / "images")]) == 1
    assert message in capsys.readouterr().err


def test_a_card_that_was_changed_by_hand_is_refused(
    a_run: Path, phantoms: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = a_run / "finetune" / "01" / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"mirrored": True}), "utf-8")

    assert main(["predict", str(a_run), "--images", str(phantoms / "test" / "images")]) == 1
    assert "is not as it was written" in capsys.readouterr().err


@pytest.mark.parametrize("learned", [True, False])
@pytest.mark.parametrize("asked", ["auto", "yes", "no"])
def test_mirrored_copies_are_averaged_if_asked_or_if_they_were_learned(
    a_run: Path,
    phantoms: Path,
    monkeypatch: pytest.MonkeyPatch,
    change_model_card: Callable[..., Any],
    learned: bool,
    asked: str,
) -> None:
    assert change_model_card(mirrored=learned)["mirrored"] is False  # as fine-tuning does by default
    seen = set()

    def probabilities(_network, images, _patch, _device, *, mirror):
        seen.add(mirror)
        return np.full((images.shape[1], 3, *images.shape[2:]), 1 / 3, np.float16)

    monkeypatch.setattr(predictor, "predict_slices", probabilities)
    words = ["--images", str(phantoms / "test" / "images"), "--output", str(a_run / "mirrored")]
    assert main(["predict", str(a_run), *words, "--mirror", asked]) == 0

    assert seen == {learned if asked == "auto" else asked == "yes"}


def test_the_largest_component_is_kept_where_the_user_says_so(
    a_run: Path, phantoms: Path, change_model_card: Callable[..., Any]
) -> None:
    change_model_card(single_components=[])
    count = {asked: _components(a_run, phantoms, asked) for asked in ("auto", "no", "each", "together")}

    assert count["auto"] == count["no"]
    assert max(count["no"]["each"]) > 1
    assert count["no"]["together"] > 1
    assert max(count["each"]["each"]) == 1
    assert count["together"]["together"] == max(count["together"]["each"]) == 1


def _components(run: Path, phantoms: Path, asked: str) -> dict[str, Any]:
    """Connected components of each structure, and of all together, in the first prediction."""
    output, images = run / asked, str(phantoms / "test" / "images")
    words = ["--images", images, "--output", str(output), "--components", asked]
    assert main(["predict", str(run), *words]) == 0
    labels = read_labels(min(output.glob("*.seg.nrrd"))).volume.array
    count = [ndimage.label(labels == value, TOUCHING)[1] for value in np.unique(labels) if value]
    return {"each": count, "together": ndimage.label(labels > 0, TOUCHING)[1]}
