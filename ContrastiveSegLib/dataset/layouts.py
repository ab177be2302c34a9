"""Look through a folder: which files are images, which are labels or scribbles, and which are neither."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ContrastiveSegLib.dataset import foreign_folders
from ContrastiveSegLib.dataset.dataset_json import DATASET_FILE, DatasetFile, read_dataset_file
from ContrastiveSegLib.dataset.dicom_folders import labels_drawn_on, may_be_dicom, series_names, why_no_image
from ContrastiveSegLib.dataset.file_roles import role_of_folder, role_of_name
from ContrastiveSegLib.errors import BadFile, BadFolder
from ContrastiveSegLib.file_io.dicom import is_dicom, is_meant_without_pixels, list_series
from ContrastiveSegLib.file_io.dicom_elements import what_is_there
from ContrastiveSegLib.file_io.file_names import (
    VOXEL_SUFFIXES,
    channel_of,
    composed,
    is_hidden,
    split_suffix,
)
from ContrastiveSegLib.file_io.provenance import provenance_of
from ContrastiveSegLib.imaging.case_errors import attempt
from ContrastiveSegLib.program_identity import PROGRAM, RUN_MARKER, run_format

NNUNET = "nnU-Net"
DECATHLON = "Medical Segmentation Decathlon"
FOLDERS = "images and labels in folders of their own"
ONE_FOLDER = "images and labels side by side"
SERIES = "DICOM series"

OTHER_FORMAT = "not a volume in a known format (NIfTI, NRRD, MHA, DICOM)"
MANY = 20  # files of one ending that are named one by one
A_RUN = "a run folder of this program, whose files are no data"
NO_TEXT = "has a name, or lies in a folder with a name, that is no text (not UTF-8); rename it"
NO_IMAGE = "a DICOM file that is damaged, encrypted or holds no image"
NOT_ALLOWED = "cannot be opened; check the access rights"
NO_FILE = "is no ordinary file, but a pipe, a socket or a device"
OUTSIDE = "lies outside of the folders for images, labels and scribbles"


@dataclass(frozen=True)
class LeftOut:
    """A file or folder that is not used, and why.

    Args:
        by_choice: Because the user said so: nothing to warn of.
        failed: Whether it was meant to be used, and something went wrong with it.
    """

    path: Path
    reason: str
    by_choice: bool = False
    failed: bool = False


@dataclass(frozen=True)
class FoundFile:
    """A volume in the folder.

    Args:
        path: The file, or what stands for a DICOM series.
        role: "image", "labels" or "scribbles".
        place: Its folder below the searched one, with slashes, without images/ or labels/; of imagesTr, "tr".
        stem: Its name without suffix; for a DICOM series the name of its folder.
        is_sorted: Whether it lies in a folder named for its role.
        is_series: Whether it is a DICOM series.
        patient: The PatientID of a DICOM series.
        in_own_folder: Whether it lies in a folder named for just its role.
        made: How this program made it, such as "predicted by round 2", if nobody changed it since; else "".
        uid: Of a DICOM series.
        refers_to: The UIDs of the DICOM series that labels were drawn on, where the file says so.
    """

    path: Path
    role: str
    place: str
    stem: str
    is_sorted: bool = False
    is_series: bool = False
    patient: str = ""
    in_own_folder: bool = False
    made: str = ""
    uid: str = ""
    refers_to: tuple[str, ...] = ()


@dataclass(frozen=True)
class Survey:
    """Everything in a folder, before images and labels are brought together."""

    files: tuple[FoundFile, ...]
    left_out: tuple[LeftOut, ...]
    layout: str
    dataset: DatasetFile


@dataclass(frozen=True)
class _Place:
    """A folder that is being looked through, and what its names say about the files inside."""

    folder: Path
    role: str
    place: str
    name: str
    is_derivative: bool = False

    @classmethod
    def of(cls, root: Path, folder: Path) -> _Place:
        parts = [composed(part) for part in folder.relative_to(root).parts]
        roles = [role_of_folder(part) for part in parts]
        named = max((n for n, (role, _) in enumerate(roles) if role), default=None)
        role = roles[named][0] if named is not None else ""
        is_derivative = foreign_folders.is_derivative(parts)
        if named is not None:
            parts[named] = roles[named][1]
        parts = [part for part in foreign_folders.place_of(parts, named) if part]
        name = parts[-1] if parts else composed(root.resolve().name)
        return cls(folder, role, "/".join(parts), name, is_derivative)


def survey(folder: Path) -> Survey:
    """Look through a folder and all below it, by names; of files no more than the header is opened.

    Raises:
        BadFolder: The folder is missing, cannot be opened, or is empty.
    """
    _check(folder)
    found = list(_everything(folder))
    if not found:
        raise BadFolder(f"The folder {folder} is empty.", "Choose the folder that holds the volumes.")
    dataset, refused = _dataset(folder / DATASET_FILE)
    files = [item for item in found if isinstance(item, FoundFile)]
    left_out = _summed_up(folder, [item for item in found if isinstance(item, LeftOut)]) + refused
    if any(file.role == "image" and file.is_sorted for file in files):
        left_out += [LeftOut(file.path, OUTSIDE) for file in files if not (file.is_sorted or file.refers_to)]
        files = [file for file in files if file.is_sorted or file.refers_to]
    return Survey(tuple(files), tuple(left_out), _layout(folder, files), dataset)


def _summed_up(folder: Path, left_out: Sequence[LeftOut]) -> list[LeftOut]:
    """One line for all files of an ending that volumes do not have, where there are many of them."""
    counts = Counter(item.path.suffix.lower() for item in left_out if item.reason == OTHER_FORMAT)
    many = {suffix: count for suffix, count in counts.items() if count > MANY}
    alone = [i for i in left_out if i.reason != OTHER_FORMAT or i.path.suffix.lower() not in many]
    for suffix, count in many.items():
        ending = f"with the ending {suffix}" if suffix else "without an ending"
        alone.append(LeftOut(folder, f"{count} files {ending}: {OTHER_FORMAT}"))
    return alone


def _check(folder: Path) -> None:
    try:
        os.scandir(folder).close()
    except FileNotFoundError:
        raise BadFolder(f"The folder {folder} does not exist.", "Check the path.") from None
    except NotADirectoryError:
        raise BadFolder(
            f"{folder} is a file, not a folder.", f"Choose its folder, {folder.parent}."
        ) from None
    except OSError as error:
        raise BadFolder(
            f"The folder {folder} cannot be opened: {error.strerror}.", "Check the access rights."
        ) from error


def _everything(root: Path) -> Iterator[FoundFile | LeftOut]:
    refused: list[OSError] = []
    seen: set[str] = set()
    for parent, folders, names in os.walk(root, onerror=refused.append, followlinks=True):
        if parent != os.fspath(root) and RUN_MARKER in names and run_format(Path(parent)) is not None:
            folders[:] = []
            yield LeftOut(Path(parent), A_RUN)
            continue
        real = os.path.realpath(parent)
        folders[:] = sorted(name for name in folders if not is_hidden(name)) if real not in seen else []
        if why := foreign_folders.why_not_entered(Path(parent)):
            folders[:] = []
            yield LeftOut(Path(parent), why)
        elif real not in seen:  # a link that leads back up would never end
            yield from _in_folder(_Place.of(root, Path(parent)), sorted(n for n in names if not is_hidden(n)))
        seen.add(real)
    for error in refused:
        yield LeftOut(Path(error.filename), f"cannot be opened: {error.strerror}")


def _in_folder(place: _Place, names: Sequence[str]) -> Iterator[FoundFile | LeftOut]:
    dicoms = []
    stems = {split_suffix(name)[0] for name in names if split_suffix(name)[1]}
    for name in names:
        path = place.folder / name
        if not str(path).isprintable() and any("\ud800" <= letter <= "\udfff" for letter in str(path)):
            yield LeftOut(path, NO_TEXT)
        elif path.exists() and not path.is_file():
            yield LeftOut(path, NO_FILE)
        elif split_suffix(name)[1]:
            yield _volume(place, name)
        elif (
            name == DATASET_FILE
            or _belongs_to_header(name, stems)
            or foreign_folders.is_description(name, stems)
        ):
            continue
        elif may_be_dicom(name) and is_dicom(path):
            dicoms.append(path)
        else:
            yield LeftOut(path, OTHER_FORMAT)
    if dicoms:
        yield from _series(place, dicoms)


def _volume(place: _Place, name: str) -> FoundFile | LeftOut:
    stem, suffix = split_suffix(name)
    role = role_of_name(stem, suffix)
    if place.role in ("labels", "scribbles"):
        role = place.role
    path = place.folder / name
    found = provenance_of(path)
    if role == "uncertainty" or (found and found.mark.kind == "uncertainty"):
        return LeftOut(path, "an uncertainty map, not an image")
    if found and role == "image":
        role = "labels"  # whatever it is called
    if role == "probabilities":
        return LeftOut(path, "a map of probabilities, which are no labels")
    if place.is_derivative and role == "image":
        return LeftOut(path, foreign_folders.NO_SEGMENTATION)
    made = found.mark.describe() if found and found.is_unchanged else ""
    return FoundFile(
        path, role, place.place, stem, bool(place.role), in_own_folder=place.role == role, made=made
    )


def _belongs_to_header(name: str, stems: set[str]) -> bool:
    """Whether a file holds the voxels of an .mhd or .nhdr beside it."""
    return any(name.lower().endswith(s) and composed(name[: -len(s)]) in stems for s in VOXEL_SUFFIXES)


def _series(place: _Place, dicoms: Sequence[Path]) -> Iterator[FoundFile | LeftOut]:
    listed, reason = attempt(str(place.folder), list_series, place.folder)
    if listed is None:
        yield LeftOut(place.folder, reason, failed=True)
        return
    found = sorted(listed, key=lambda series: series.files[0])
    used = {path.name for series in found for path in series.files}
    for path in dicoms:
        if path.name not in used:
            why = what_is_there(path) or NO_IMAGE if os.access(path, os.R_OK) else NOT_ALLOWED
            yield _labels_of_series(place, path) or LeftOut(path, why)
    # A folder of slices none of which can be read was a case.
    if not found and not any(is_meant_without_pixels(path) for path in dicoms):
        yield LeftOut(place.folder, "none of its DICOM files can be read", failed=True)
    images = [series for series in found if not why_no_image(series)]
    for series in found:
        if reason := why_no_image(series):
            yield _labels_of_series(place, series.files[0]) or LeftOut(series.path, reason)
    for series, name in zip(images, series_names(place.name, images), strict=True):
        image = FoundFile(series.path, "image", place.place, name, bool(place.role), is_series=True)
        yield replace(image, patient=series.patient, uid=series.uid)


def _labels_of_series(place: _Place, path: Path) -> FoundFile | None:
    """A DICOM file with labels that names the series they were drawn on."""
    referred = labels_drawn_on(path)
    if referred is None:
        return None
    made = "predicted" if referred.program == PROGRAM else ""
    found = FoundFile(path, "labels", place.place, path.stem, bool(place.role), made=made)
    return replace(found, refers_to=referred.series)


def _dataset(path: Path) -> tuple[DatasetFile, list[LeftOut]]:
    if not path.is_file():
        return DatasetFile(), []
    try:
        return read_dataset_file(path), []
    except BadFile as error:
        return DatasetFile(), [LeftOut(path, error.what)]


def _layout(folder: Path, files: Sequence[FoundFile]) -> str:
    """What the arrangement is called, for people."""
    images = [file for file in files if file.role == "image"]
    if images and all(file.is_series for file in images):
        return SERIES
    if not any(file.is_sorted for file in images):
        return ONE_FOLDER
    if not any((folder / name).is_dir() for name in ("imagesTr", "imagesTs")):
        return FOLDERS
    return NNUNET if any(channel_of(file.stem)[1] == 0 for file in images) else DECATHLON
