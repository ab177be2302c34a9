"""The entry of a predicted case in the summary of its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ContrastiveSegLib import __version__
from ContrastiveSegLib.dataset.cases import Case
from ContrastiveSegLib.evaluation.structure_measures import measure
from ContrastiveSegLib.file_io.files import read_image
from ContrastiveSegLib.file_io.label_digest import digest_of_labels
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.training.fine_tuned import Model
from ContrastiveSegLib.training.prediction_summary import PredictedCase


def summary_of(
    case: Case, target: Path, labels: Volume, model: Model, expected: float, seconds: float
) -> dict[str, Any]:
    """What the summary says of a case.

    Args:
        target: The file of the prediction.
        labels: (K, H, W) on the grid of the image.
        expected: The Dice that may be expected, nan if unknown.
        seconds: That its prediction took.
    """
    # Read once more: while the case was segmented, only its prepared copy was kept.
    image = read_image(case.images, last_axis_is_channels=case.last_axis_is_channels).volume
    return PredictedCase(
        case.name,
        tuple(map(str, case.images)),
        str(target),
        model.architecture,
        model.round,
        model.sha256,
        __version__,
        round(seconds, 2),
        round(model.compute.memory_mb()),
        expected,
        measure(labels, image, model.table),
        digest_of_labels(labels.array),
    ).to_json()
