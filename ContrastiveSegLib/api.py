"""The engine for scripts and notebooks: look at data, learn from it, segment one image, compare.

    from ContrastiveSegLib import api

    api.pretrain("runs/heart", images="scans", steps=500)
    api.finetune("runs/heart", labeled="annotated")
    prediction = api.predict("scans/patient7.nii.gz", "runs/heart")

The settings are those of the commands, under the same names (docs/jobs), and they are checked alike. What
goes wrong is raised as a ContrastiveSegError that says what happened, to which file, and what to do.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from ContrastiveSegLib.dataset.cases import CaseList, find_cases
from ContrastiveSegLib.evaluation.report import EvaluationReport
from ContrastiveSegLib.file_io.files import read_image, write_labels
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.jobs import evaluate as evaluate_job
from ContrastiveSegLib.jobs import finetune as finetune_job
from ContrastiveSegLib.jobs import pretrain as pretrain_job
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.session.device import choose_compute
from ContrastiveSegLib.settings.job_settings import FinetuneSettings, PretrainSettings
from ContrastiveSegLib.settings.schema import current_names, from_dict
from ContrastiveSegLib.settings.shared_settings import Compute
from ContrastiveSegLib.training.fine_tuned import load_round, prepared_for, segment

Pathlike = Path | str
Settings = TypeVar("Settings")


@dataclass(frozen=True)
class Prediction:
    """The segmentation of one image, on its own grid.

    Args:
        labels: (K, H, W) int16 or int32, the values of `table`; 0 is background. Geometry in LPS and mm.
        uncertainty: (K, H, W) float32, entropy of the class probabilities, 0...1.
        table: Which value is which structure.
        expected_dice: The Dice that may be expected; nan if nothing is known.
    """

    labels: Volume
    uncertainty: npt.NDArray[np.float32]
    table: LabelTable
    expected_dice: float

    @property
    def image(self) -> sitk.Image:
        """The labels as a SimpleITK image."""
        found = sitk.GetImageFromArray(self.labels.array)
        found.SetSpacing(self.labels.geometry.spacing)
        found.SetOrigin(self.labels.geometry.origin)
        found.SetDirection(self.labels.geometry.direction)
        return found

    def save(self, path: Pathlike, *, overwrite: bool = False) -> None:
        """Write the labels: .seg.nrrd with names and colors for 3D Slicer, .nii.gz with values alone.

        Raises:
            CannotWrite: The file exists already, or the disk refuses it.
        """
        write_labels(Path(path), self.labels, self.table, overwrite=overwrite)


def scan(folder: Pathlike) -> CaseList:
    """Which cases are in a folder, and what was left out, with the reason of each.

    Raises:
        BadFolder: There is no such folder, or no image in it.
    """
    return find_cases(Path(folder))


def pretrain(run: Pathlike, images: Pathlike, **settings: Any) -> Path:
    """Learn from images without labels; resumes what was interrupted.

    Args:
        run: Run folder; made if it is not there.
        images: Folder with the volumes.
        settings: As in settings.json, for example `steps=500, method="supercl", grid={"spacing": 1.5}`.

    Returns:
        The run folder.

    Raises:
        ContrastiveSegError: Whatever the user can mend.
    """
    given = {**settings, "run": str(run), "images": str(images)}
    pretrain_job.run(_settings(PretrainSettings, given, source="pretrain()"))
    return Path(run)


def finetune(run: Pathlike, labeled: Pathlike, **settings: Any) -> int:
    """Learn to segment from annotated cases; resumes what was interrupted.

    Args:
        run: Run folder; with a pre-training this is where learning starts.
        labeled: Folder with images and labels.
        settings: As in settings.json, for example `steps=1000, strategy="supervised"`.

    Returns:
        The number of the round, for `predict`.

    Raises:
        ContrastiveSegError: Whatever the user can mend.
    """
    given = {**settings, "run": str(run), "labeled": str(labeled)}
    finetune_job.run(_settings(FinetuneSettings, given, source="finetune()"))
    return RunFolder(Path(run)).finetune_rounds(finished=True)[-1]


def predict(
    image: Pathlike | Volume, run: Pathlike, *, round_number: int | None = None, device: str = "auto"
) -> Prediction:
    """Segment one image as the command `predict` does, without writing anything.

    Args:
        image: A file, a folder with one DICOM series, or a volume (C, K, H, W) with its geometry.
        run: Run folder with a finished fine-tuning.
        round_number: Of fine-tuning, from 1; empty: the last finished one.
        device: auto, cpu, cuda, cuda:N or mps.

    Raises:
        BadFile: The image cannot be read, or has other channels than the network.
        BadCheckpoint: There is no such round, or it is damaged.
    """
    folder = RunFolder(Path(run))
    model = load_round(folder, round_number, choose_compute(Compute(device=device)))
    name, volume = (
        ("The volume", image) if isinstance(image, Volume) else (str(image), read_image([Path(image)]).volume)
    )
    working = prepared_for(model, volume, name)
    labels, uncertainty, expected = segment(model, working, volume.geometry, mirror=model.mirrored)
    return Prediction(labels, uncertainty.array[0], model.table, expected)


def evaluate(predictions: Pathlike, labels: Pathlike) -> EvaluationReport:
    """Compare predictions with labels: Dice, distances in mm and volumes, per case and structure.

    Raises:
        BadFolder: Nothing in the two folders belongs together, or nothing of it could be compared.
    """
    return evaluate_job.evaluate(Path(predictions), Path(labels))


def _settings(cls: type[Settings], given: Mapping[str, Any], *, source: str) -> Settings:
    """The settings of a job; paths may be given as such, and names of earlier versions still work."""
    for before, now in current_names(cls).items():
        if before in given:
            what = f"The setting {before!r} of {source} is called {now!r} now. Please use the new name."
            warnings.warn(what, FutureWarning, stacklevel=3)
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in given.items()}
    return from_dict(cls, plain, source=source)
