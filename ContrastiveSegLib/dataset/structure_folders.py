"""Folders with one file per structure beside the only image of a case, as TotalSegmentator writes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from ContrastiveSegLib.dataset.file_roles import case_key
from ContrastiveSegLib.dataset.layouts import FoundFile
from ContrastiveSegLib.dataset.matching import fit_none
from ContrastiveSegLib.file_io.structure_files import label_files

# Of TotalSegmentator. Source: its readme, output of one file per class.
FOLDER = "segmentations"


def structure_folders(
    labels: Iterable[FoundFile], images: dict[str, list[str]]
) -> dict[str, tuple[Path, list[FoundFile]]]:
    """The folders whose files are called after structures: the place of their case to folder and files.

    A file that is called like the image of any case, like its folder, or by a number alone is no structure:
    labels of another patient must never be taken for one. For the same reason a file alone in its folder
    counts only if the folder is called as TotalSegmentator does.

    Args:
        labels: Files of labels that belong to no image by their name.
        images: Place, as in FoundFile, to the stems of the images there.
    """
    by_place: dict[str, list[FoundFile]] = defaultdict(list)
    for file in labels:
        if file.in_own_folder and file.place and len(images.get(file.place, ())) == 1:
            by_place[file.place].append(file)
    called = [*(stem for stems in images.values() for stem in stems), *(_last(place) for place in images)]
    return {
        place: (files[0].path.parent, files)
        for place, files in by_place.items()
        if len({file.path.parent for file in files}) == 1 and _are_structures(files, called)
    }


def _are_structures(files: Sequence[FoundFile], called: Sequence[str]) -> bool:
    if len(files) == 1 and files[0].path.parent.name != FOLDER:
        return False
    stems = [file.stem for file in files]
    # The folder is read as a whole: each file in it must be one structure of its own.
    if {file.path for file in files} != set(label_files(files[0].path.parent)) or len(set(stems)) < len(
        stems
    ):
        return False
    if any(not case_key(stem) or case_key(stem).isdecimal() for stem in stems):
        return False
    return fit_none(stems, called)


def _last(place: str) -> str:
    return place.rpartition("/")[2]
