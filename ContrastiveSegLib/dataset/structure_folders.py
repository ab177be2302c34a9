"""Folders with one file per structure beside the image of a case, as TotalSegmentator writes them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ContrastiveSegLib.dataset.file_roles import BETWEEN, case_key, spellings
from ContrastiveSegLib.dataset.layouts import FoundFile
from ContrastiveSegLib.dataset.matching import fit_none
from ContrastiveSegLib.file_io.structure_files import label_files

# Of TotalSegmentator. Source: its readme, output of one file per class.
FOLDER = "segmentations"
# Structures of its tasks "total" and "total_mr". Source: totalsegmentator/map_to_binary.py, version 2.
SIDED = (
    "kidney(_cyst)?|adrenal_gland|humerus|scapula|clavicula|femur|hip|gluteus_(maximus|medius|minimus)|"
    "autochthon|iliopsoas|iliac_(artery|vena)|common_carotid_artery|subclavian_artery|brachiocephalic_vein|"
    "atrial_appendage|lung(_(upper|middle|lower)_lobe)?|heart_(atrium|ventricle)"
)
SINGLE = (
    "spleen|gallbladder|liver|stomach|pancreas|esophagus|trachea|thyroid_gland|small_bowel|duodenum|colon|"
    "urinary_bladder|prostate|sacrum|vertebrae(_[CTLS][0-9]+)?|intervertebral_discs|heart(_myocardium)?|aorta|"
    "pulmonary_(vein|artery)|brachiocephalic_trunk|(superior|inferior)_vena_cava|"
    "portal_vein_and_splenic_vein|spinal_cord|brain|skull|sternum|costal_cartilages|rib_(left|right)_[0-9]+"
)
KNOWN = re.compile(rf"({SIDED})_(left|right)|{SINGLE}")

# Place, as in FoundFile, to the stems of the images there and the positions of their cases.
Images = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class StructureFolders:
    """What was found.

    Args:
        of_case: Position of a case to folder and files.
        doubts: Why files are not read as structures that might have been meant so.
    """

    of_case: Mapping[int, tuple[Path, list[FoundFile]]]
    doubts: Mapping[Path, str]


def with_structures(files: Sequence[FoundFile]) -> tuple[FoundFile, ...]:
    """Make labels of files that lie as images do, but hold structures by the names around them.

    That is, in a folder beside images: it is called after one of them (ct1_segmentations), or all files in
    it are called as TotalSegmentator calls structures.
    """
    by_folder: dict[Path, list[FoundFile]] = defaultdict(list)
    for file in files:
        if file.role == "image" and not file.is_series and file.place:
            by_folder[file.path.parent].append(file)
    stems: dict[str, set[str]] = defaultdict(set)
    for file in files:
        if file.role == "image":
            stems[_above(file.place) if file.is_series else file.place].add(_plain(file.stem))
    meant = {folder for folder, here in by_folder.items() if _hold_structures(folder, here, stems)}
    return tuple(
        replace(file, role="labels", place=_above(file.place), in_own_folder=True)
        if file.role == "image" and file.path.parent in meant
        else file
        for file in files
    )


def structure_folders(labels: Iterable[FoundFile], images: Images) -> StructureFolders:
    """The folders whose files are called after structures.

    A file that is called like the image of any case, like its folder, or by a number alone is no structure:
    labels of another patient must never be taken for one. For the same reason a file alone in its folder
    counts only if the folder is called as TotalSegmentator does.

    Args:
        labels: Files of labels that belong to no image by their name.
    """
    by_folder: dict[Path, list[FoundFile]] = defaultdict(list)
    for file in labels:
        if file.in_own_folder:
            by_folder[file.path.parent].append(file)
    called = [*(stem for stems in images.values() for stem in stems), *(_last(place) for place in images)]
    found: dict[int, tuple[Path, list[FoundFile]]] = {}
    doubts: dict[Path, str] = {}
    for folder, files in by_folder.items():
        if not _may_be(folder, files):
            continue
        case, why = _case_of(folder, files, images)
        why = why or _why_not(files, called)
        if case in found:
            why = f"{found[case][0].name} beside it is one"
        if case is not None and not why:
            found[case] = (folder, files)
        elif why:
            why = f"its folder is not read as one file per structure, because {why}"
            doubts |= dict.fromkeys((file.path for file in files), why)
    return StructureFolders(found, doubts)


def _hold_structures(folder: Path, files: Sequence[FoundFile], stems: Mapping[str, set[str]]) -> bool:
    beside = stems.get(_above(files[0].place), set())
    if not beside or folder.name != _last(files[0].place):
        return False
    bare = spellings(folder.name)[1]
    is_called_so = bare != folder.name and _plain(bare) in beside
    return is_called_so or (len(files) > 1 and _are_known(files))


def _case_of(folder: Path, files: Sequence[FoundFile], images: Images) -> tuple[int | None, str]:
    """The position of the case that a folder belongs to, if there is one, and why none if it could be."""
    place = files[0].place
    here = images.get(place, {})
    names = {_plain(stem): case for stem, case in here.items()}
    above = {_plain(stem): case for stem, case in images.get(_above(place), {}).items()} if place else {}
    for name, cases in ((spellings(folder.name)[1], names), (_last(place), above)):
        if _plain(name) in cases:
            return cases[_plain(name)], ""
    if not here or not (place or _are_known(files)):
        return None, ""
    if len(here) > 1:
        first = sorted(here)[0]
        several = ", ".join(sorted(here)[:3])
        return None, (
            f"several images lie beside it ({several}); call it after the one that it belongs to "
            f"({first}_{FOLDER})"
        )
    return next(iter(here.values())), ""


def _may_be(folder: Path, files: Sequence[FoundFile]) -> bool:
    name = folder.name
    return len(files) > 1 or name == FOLDER or re.search(rf"{BETWEEN}{FOLDER}$", name) is not None


def _are_known(files: Iterable[FoundFile]) -> bool:
    return all(KNOWN.fullmatch(file.stem) for file in files)


def _why_not(files: Sequence[FoundFile], called: Sequence[str]) -> str:
    """Why the files of a folder are not read as one structure each; "" if they are."""
    stems = [file.stem for file in files]
    # The folder is read as a whole: each file in it must be one structure of its own.
    others = sorted(set(label_files(files[0].path.parent)) - {file.path for file in files})
    twice = [stem for stem in stems if stems.count(stem) > 1]
    cases = [stem for stem in stems if not case_key(stem) or case_key(stem).isdecimal()]
    cases += [stem for stem in stems if not fit_none([stem], called)]
    if others:
        return f"{others[0].name} in it is none"
    if twice:
        return f"{twice[0]} is there twice"
    return f"{cases[0]} could be the name of a case" if cases else ""


def _plain(stem: str) -> str:
    return stem.casefold()


def _above(place: str) -> str:
    return place.rpartition("/")[0]


def _last(place: str) -> str:
    return place.rpartition("/")[2]
