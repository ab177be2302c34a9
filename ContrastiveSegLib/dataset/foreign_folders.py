"""What MONAI Label and BIDS call their folders, so that labels and images there come together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from ContrastiveSegLib.dataset.file_roles import role_of_folder
from ContrastiveSegLib.file_io.datastore_names import CORRECTED, DATASTORE

PREDICTED = "original"  # of MONAI Label: what its own model predicted
# BIDS: derivatives/PIPELINE/sub-01/anat lies beside sub-01/anat. Source: BIDS 1.10, derivatives.
DERIVATIVES = "derivatives"

DESCRIPTIONS = ("dataset_description.json", "participants.tsv", "participants.json", DATASTORE)
SIDECARS = ("json", "bval", "bvec")

NOT_CORRECTED = "MONAI Label's own predictions, which nobody corrected; those are in the folder 'final'"
NO_SEGMENTATION = "a BIDS derivative that is no segmentation (_dseg)"


def place_of(parts: Sequence[str], named: int | None) -> list[str]:
    """The folders from the searched one to a file, as those of the image would be called.

    Args:
        named: Position of the last folder that is named for a role, such as labels.
    """
    found = list(parts)
    if named is not None and found[named + 1 : named + 2] == [CORRECTED]:
        del found[named + 1]
    if is_derivative(found):
        del found[:2]
    return found


def is_description(name: str, stems: Collection[str]) -> bool:
    """Whether a file describes others, as BIDS, dcm2niix and MONAI Label write them: no volume is left out.

    Args:
        stems: Of the volumes beside it.
    """
    stem, _, suffix = name.rpartition(".")
    is_sidecar = suffix in SIDECARS and stem in stems
    return is_sidecar or name in DESCRIPTIONS or name.endswith("dseg.tsv")


def is_derivative(parts: Sequence[str]) -> bool:
    """Whether these folders lie below BIDS' derivatives/PIPELINE."""
    return list(parts[:1]) == [DERIVATIVES] and len(parts) > 1


def why_not_entered(folder: Path) -> str:
    """Why nothing in a folder is used; "" if it is."""
    is_in_labels = role_of_folder(folder.parent.name)[0] == "labels"
    is_monai_label = is_in_labels and folder.name == PREDICTED and (folder.parent / CORRECTED).is_dir()
    return NOT_CORRECTED if is_monai_label else ""
