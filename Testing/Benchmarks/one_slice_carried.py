"""Keep one slice of a volume's labels and have `propagate` carry it through, as a user would who drew it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ContrastiveSegLib.dataset.cases import Case
from ContrastiveSegLib.file_io.files import write_labels
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.jobs import propagate
from ContrastiveSegLib.propagation.gray_slices import Cut
from ContrastiveSegLib.settings.job_settings import PropagateSettings


def carry(
    case: Case, labels: Volume, table: LabelTable, key: int, annotation: Path, target: Path, **settings: Any
) -> None:
    """Write `target`, unless it is there: an interrupted benchmark goes on where it was.

    Args:
        labels: All slices (K, H, W); only number `key`, in the direction of the scan, is shown to the model.
        annotation: Where the labels with one slice are written.
        settings: Further ones of the job.
    """
    if target.exists():
        return
    cut = Cut.of(labels.geometry)
    one = np.zeros_like(cut.stack(labels.array))
    one[key] = cut.stack(labels.array)[key]
    write_labels(annotation, Volume(cut.unstack(one), labels.geometry), table, overwrite=True)
    propagate.run(PropagateSettings(image=case.images[0], annotation=annotation, output=target, **settings))
