"""LiteMedSAM with its published weights finds a ventricle in a box, and carries it through a heart.

It was probably trained on these images: this shows that the weights arrive where they belong, not how good
the model is.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ContrastiveSegLib.file_io.files import read_image, read_labels
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.propagation.gray_slices import gray_volume
from ContrastiveSegLib.propagation.prompts import box_around, by_box
from ContrastiveSegLib.propagation.propagate import propagate
from ContrastiveSegLib.propagation.stopping import StopRules
from ContrastiveSegLib.propagation.tracking import GuidedPropagator
from ContrastiveSegLib.sam._checkpoint import carried_weights
from ContrastiveSegLib.sam._model import Prompt
from ContrastiveSegLib.sam.catalog import choose_family, load_family
from ContrastiveSegLib.sam.lite_medsam import CARD
from Testing.propagation.drawings import dice

if carried_weights(CARD) is None:
    pytest.skip(f"the weights of LiteMedSAM are not installed: {CARD.how}", allow_module_level=True)
pytest.importorskip("transformers", reason="promptable models need transformers")

RIGHT, LEFT = 1, 3
PIXEL_MM, SLICE_MM = 1.37, 10.0  # of the patient below


@pytest.fixture(scope="module")
def a_heart() -> tuple[np.ndarray, np.ndarray]:
    """Gray slices and labels of a patient whom no rule was chosen on."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("CONTRASTIVESEG_TEST_DATA", beside)) / "acdc"
    name = "patient009_frame01.nii.gz"
    if not (folder / "images" / name).is_file():
        pytest.skip(f"no real data at {folder}; set CONTRASTIVESEG_TEST_DATA")
    image = read_image([folder / "images" / name]).volume
    return gray_volume(image, Intensities()), read_labels(folder / "labels" / name).volume.array


@pytest.fixture(scope="module")
def a_lite_medsam() -> Any:
    """The published model, as the product loads it."""
    import torch

    from ContrastiveSegLib.session.device import Compute

    compute = Compute(torch.device("cpu"), "float32")
    model, weights = load_family(choose_family("auto", None, makes=("masks",)), None, compute)
    assert weights.known_as == "LiteMedSAM"
    return model


def test_a_box_is_enough_to_find_a_ventricle(
    a_lite_medsam: Any, a_heart: tuple[np.ndarray, np.ndarray]
) -> None:
    slices, labels = a_heart
    k = len(slices) // 2
    truths = [labels[k] == value for value in (LEFT, RIGHT)]
    boxes = [box_around(truth, 2) for truth in truths]

    answers = a_lite_medsam.predict(a_lite_medsam.encode(slices[k]), [Prompt(box=box) for box in boxes])

    for answer, truth, box, least in zip(answers, truths, boxes, (0.93, 0.85), strict=True):
        filled = np.zeros_like(truth)
        filled[int(box[1]) : int(box[3]) + 1, int(box[0]) : int(box[2]) + 1] = True
        assert dice(answer.mask, truth) > max(least, dice(filled, truth) + 0.05)
        assert answer.score > 0.7


@pytest.mark.slow
def test_one_slice_becomes_a_volume(a_lite_medsam: Any, a_heart: tuple[np.ndarray, np.ndarray]) -> None:
    slices, labels = a_heart
    key = len(slices) // 2
    found = np.zeros_like(labels)

    guide = GuidedPropagator(a_lite_medsam, by_box(3), PIXEL_MM, SLICE_MM)
    for k, carried, _ in propagate(guide, slices, key, labels[key], StopRules()):
        found[k] = carried

    assert dice(found == LEFT, labels == LEFT) > 0.9
    ends, true = (np.flatnonzero((a == LEFT).any(axis=(1, 2)))[[0, -1]] for a in (found, labels))
    assert np.abs(ends - true).max() <= 2
