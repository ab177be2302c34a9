"""Fetch a task of the Medical Segmentation Decathlon; the only file that uses a network, if asked."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

from monai.apps import download_and_extract
from monai.apps.datasets import DecathlonDataset

from ContrastiveSegLib.errors import BadSetting, CannotWrite


def download_decathlon(name: str, folder: Path) -> Path:
    """Download and unpack a task, unless it is there already.

    Args:
        name: Such as "hippocampus" or "Task04_Hippocampus".
        folder: Where the task's own folder will be.

    Returns:
        The task's folder, with imagesTr, labelsTr and dataset.json.

    Raises:
        BadSetting: There is no such task.
        CannotWrite: It could not be fetched, or not be stored.
    """
    tasks = sorted(DecathlonDataset.resource)
    matching = [task for task in tasks if name.lower() in (task.lower(), task.split("_", 1)[1].lower())]
    if not matching:
        raise BadSetting(f'The Decathlon has no task "{name}".', f"Choose one of: {', '.join(tasks)}.")
    task = matching[0]
    target = folder / task
    if not (target / "dataset.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            download_and_extract(
                DecathlonDataset.resource[task], folder / f"{task}.tar", folder, DecathlonDataset.md5[task]
            )
        except (URLError, OSError, RuntimeError, ValueError) as error:
            raise CannotWrite(
                f"The data set {task} could not be fetched into {folder}: {error}.",
                "Check the network and the disk, or fetch it by hand and name its folder with --data.",
            ) from error
    return target
