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
) -> tuple[dict[str, tuple[Path, list[FoundFile]]], dict[Path, str]]:
    """The folders whose files are called after structures: the place of their case to folder and files.

    The second answer says of files in folders that might have been meant so why they are not.

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
    found: dict[str, tuple[Path, list[FoundFile]]] = {}
    doubts: dict[Path, str] = {}
    for place, files in by_place.items():
        if len({file.path.parent for file in files}) > 1 or not _may_be(files):
            continue
        if why := _why_not(files, called):
            doubts |= dict.fromkeys((file.path for file in files), why)
        else:
            found[place] = (files[0].path.parent, files)
    return found, doubts


def _may_be(files: Sequence[FoundFile]) -> bool:
    return len(files) > 1 or files[0].path.parent.name == FOLDER


def _why_not(files: Sequence[FoundFile], called: Sequence[str]) -> str:
    """Why the files of a folder are not read as one structure each; "" if they are."""
    stems = [file.stem for file in files]
    # The folder is read as a whole: each file in it must be one structure of its own.
    others = sorted(set(label_files(files[0].path.parent)) - {file.path for file in files})
    twice = [stem for stem in stems if stems.count(stem) > 1]
    cases = [stem for stem in stems if not case_key(stem) or case_key(stem).isdecimal()]
    cases += [stem for stem in stems if not fit_none([stem], called)]
    if others:
        why = f"{others[0].name} in it is none"
    elif twice:
        why = f"{twice[0]} is there twice"
    elif cases:
        why = f"{cases[0]} could be the name of a case"
    else:
        return ""
    return f"its folder is not read as one file per structure, because {why}"


def _last(place: str) -> str:
    return place.rpartition("/")[2]
