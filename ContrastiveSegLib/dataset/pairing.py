"""Bring together what belongs to one case: the channels of its image, its labels, its scribbles."""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ContrastiveSegLib.dataset.file_roles import case_key, case_name
from ContrastiveSegLib.dataset.layouts import NNUNET, FoundFile, LeftOut, Survey
from ContrastiveSegLib.dataset.matching import match_names
from ContrastiveSegLib.dataset.structure_folders import structure_folders, with_structures
from ContrastiveSegLib.file_io.file_names import channel_of

# case_0000 to case_0150 are numbers of cases, not of channels.
MOST_CHANNELS = 8
# Places, as in FoundFile, that are no folder of one case: the searched folder, images/, imagesTr ...
FOLDERS_OF_MANY = ("", "tr", "ts", "va", "val")
NO_SERIES = "labels of a DICOM series that is not in this folder"


@dataclass(frozen=True)
class Group:
    """The files of one case.

    Args:
        place: Its folder, as in FoundFile.
        stem: The name of its image, without suffix and channel.
        images: One file per channel, or one file, or one series.
        patient: The PatientID of a DICOM series.
        uid: Of a DICOM series.
    """

    place: str
    stem: str
    name: str
    images: tuple[Path, ...]
    labels: Path | None = None
    scribbles: Path | None = None
    patient: str = ""
    is_series: bool = False
    uid: str = ""


def pair(found: Survey, root_name: str) -> tuple[list[Group], list[LeftOut]]:
    """Make groups of the files that were found, sorted by name; what fits into none comes with the reason.

    Args:
        root_name: What to call a case whose files and folders have no telling name.
    """
    by_role: dict[str, list[FoundFile]] = defaultdict(list)
    for file in with_structures(found.files):
        by_role[file.role].append(file)
    groups, left_out = _image_groups(by_role["image"], by_role["labels"] + by_role["scribbles"], found)
    groups, unpaired = _with_references(groups, [file for file in by_role["labels"] if file.refers_to])
    left_out += unpaired
    for role in ("labels", "scribbles"):
        named = [file for file in by_role[role] if not file.refers_to]
        groups, unpaired = _attached(groups, named, role)
        left_out += unpaired
    return sorted(_told_apart(groups, root_name), key=lambda group: group.name), left_out


def _image_groups(
    images: Iterable[FoundFile], annotations: Sequence[FoundFile], found: Survey
) -> tuple[list[Group], list[LeftOut]]:
    by_place: dict[str, list[FoundFile]] = defaultdict(list)
    for file in images:
        by_place[file.place].append(file)
    groups: list[Group] = []
    left_out: list[LeftOut] = []
    for place, files in by_place.items():
        split = _are_channels(files, [file.stem for file in annotations if file.place == place], found)
        cases, twice = _by_case(files, split)
        expected = max(found.dataset.channels if split else 1, *(max(case) + 1 for case in cases.values()))
        left_out += twice
        for case in cases.values():
            missing = sorted(set(range(expected)) - set(case))
            if missing:
                reason = f"channel _{missing[0]:04d} of {expected} channels is missing"
                left_out += [LeftOut(file.path, reason) for file in case.values()]
            else:
                groups.append(_group([case[number] for number in range(expected)], split))
    return groups, left_out


def _are_channels(files: Sequence[FoundFile], annotations: Sequence[str], found: Survey) -> bool:
    """Whether _0000, _0001 at the end of all names in a folder count channels and not cases.

    Args:
        annotations: The names of the labels and scribbles of that folder.
    """
    numbers: dict[str, set[int]] = defaultdict(set)
    for file in files:
        base, number = channel_of(file.stem)
        if number is None or file.is_series:
            return False
        numbers[base].add(number)
    if any(match.image is not None for match in match_names(annotations, [file.stem for file in files])):
        return False  # a label has the whole name
    only = next(iter(numbers)) if len(numbers) == 1 and files[0].place in FOLDERS_OF_MANY else ""
    if only and len(numbers[only]) > 1 and found.dataset.channels < 2 and not re.search(r"\d", only):
        return False  # scan_0000, scan_0001: nothing else tells one case from another
    return found.layout == NNUNET or all(0 in n and len(n) <= MOST_CHANNELS for n in numbers.values())


def _by_case(
    files: Iterable[FoundFile], split: bool
) -> tuple[dict[str, dict[int, FoundFile]], list[LeftOut]]:
    """Sort the images of one folder by case and channel; of two for the same, the first is kept."""
    cases: dict[str, dict[int, FoundFile]] = defaultdict(dict)
    twice = []
    for file in files:
        base, number = channel_of(file.stem) if split else (file.stem, 0)
        kept = cases[base].setdefault(number or 0, file)
        if kept is not file:
            twice.append(LeftOut(file.path, f"has the same case name as {kept.path}, which is used"))
    return cases, twice


def _group(files: Sequence[FoundFile], split: bool) -> Group:
    first = files[0]
    stem = channel_of(first.stem)[0] if split else first.stem
    return Group(
        place=first.place,
        stem=stem,
        name=stem if first.is_series else case_name(stem),
        images=tuple(file.path for file in files),
        patient=first.patient,
        is_series=first.is_series,
        uid=first.uid,
    )


def _with_references(
    groups: Sequence[Group], files: Sequence[FoundFile]
) -> tuple[list[Group], list[LeftOut]]:
    """Give labels to the series that they name; of two for the same series the first is kept."""
    groups, left_out = list(groups), []
    numbers: dict[str, list[int]] = defaultdict(list)
    for number, group in enumerate(groups):
        numbers[group.uid].append(number)
    for file in files:
        several = next((numbers[uid] for uid in file.refers_to if uid and uid in numbers), [])
        place = several[0] if len(several) == 1 else None
        if place is None:
            names = " and ".join(groups[n].name for n in several)
            why = f"labels of a DICOM series that is here more than once ({names}); remove all but one"
            left_out.append(LeftOut(file.path, why if several else NO_SERIES))
        elif taken := groups[place].labels:
            left_out.append(LeftOut(file.path, f"labels of a case that has {taken} already"))
        else:
            groups[place] = replace(groups[place], labels=file.path)
    return groups, left_out


def _attached(
    groups: Sequence[Group], files: Sequence[FoundFile], role: str
) -> tuple[list[Group], list[LeftOut]]:
    """Give each labels or scribbles file to the group of its name and place."""
    groups = list(groups)
    left_out: list[LeftOut] = []
    nameless: list[FoundFile] = []
    offered = _offered(groups)
    # What lies in labels/ wins over what lies among the images, however it is called.
    for place, is_own in dict.fromkeys((f.place, f.in_own_folder) for f in sorted(files, key=_own_first)):
        here = [file for file in files if (file.place, file.in_own_folder) == (place, is_own)]
        numbers = offered.get(place, [])
        inside = [n for n, number in enumerate(numbers) if groups[number].place == place]
        matches = match_names(
            [file.stem for file in here],
            [groups[number].stem for number in numbers],
            alone=inside[0] if len(inside) == 1 else None,
        )
        for file, match in zip(here, matches, strict=True):
            if match.image is None and match.rival is None and not match.doubt:
                nameless.append(file)
                continue
            number = numbers[match.image] if match.image is not None else None
            taken = _of(groups[number], role) if number is not None else None
            if taken:
                left_out.append(LeftOut(file.path, f"{role} of a case that has {taken} already"))
            elif number is not None:
                groups[number] = _with(groups[number], role, file.path)
            elif match.rival is not None:
                left_out.append(
                    LeftOut(file.path, f"{role} of a case that has {here[match.rival].path} already")
                )
            else:
                left_out.append(LeftOut(file.path, match.doubt))
    return _with_structures(groups, nameless, role, left_out)


def _with_structures(
    groups: list[Group], nameless: Sequence[FoundFile], role: str, left_out: list[LeftOut]
) -> tuple[list[Group], list[LeftOut]]:
    """Give images the files that are called after structures; of others say why not."""
    images = {place: {groups[n].stem: n for n in here} for place, here in _offered(groups).items()}
    found = structure_folders(nameless if role == "labels" else (), images)
    for number, (folder, files) in found.of_case.items():
        labels = groups[number].labels
        if labels:
            left_out += [LeftOut(file.path, f"{role} of a case that has {labels} already") for file in files]
        else:
            groups[number] = replace(groups[number], labels=folder)
    used = {file.path for _, files in found.of_case.values() for file in files}
    for path in (file.path for file in nameless if file.path not in used):
        why = f"; {found.doubts[path]}" if path in found.doubts else ""
        left_out.append(LeftOut(path, f"{role} without an image of this name{why}"))
    return groups, left_out


def _own_first(file: FoundFile) -> bool:
    return not file.in_own_folder


def _of(group: Group, role: str) -> Path | None:
    return group.labels if role == "labels" else group.scribbles


def _with(group: Group, role: str, path: Path) -> Group:
    return replace(group, labels=path) if role == "labels" else replace(group, scribbles=path)


def _offered(groups: Sequence[Group]) -> dict[str, list[int]]:
    """The positions of the groups that a label in a place may belong to."""
    offered: dict[str, list[int]] = defaultdict(list)
    for number, group in enumerate(groups):
        offered[group.place].append(number)
        if group.is_series and group.place:  # case01.seg.nrrd may lie beside the folder case01 or in it
            offered[group.place.rpartition("/")[0]].append(number)
    return offered


def _told_apart(groups: Sequence[Group], root_name: str) -> list[Group]:
    """Give every group a name of its own: results of two cases must not share a file on any disk."""
    named = [replace(group, name=group.name or _folder_name(group, root_name)) for group in groups]
    here = Counter((group.place, group.name.casefold()) for group in named)
    named = [
        group if here[group.place, group.name.casefold()] == 1 else replace(group, name=_full_name(group))
        for group in named
    ]
    everywhere = Counter(group.name.casefold() for group in named)
    taken: set[str] = set()
    apart = []
    for group in named:
        name = group.name if everywhere[group.name.casefold()] == 1 else _long_name(group)
        numbered = (f"{name}_{n}" for n in itertools.count(2))
        name = next(name for name in itertools.chain([name], numbered) if name.casefold() not in taken)
        taken.add(name.casefold())
        apart.append(replace(group, name=name))
    return apart


def _folder_name(group: Group, root_name: str) -> str:
    return group.place.rpartition("/")[2] or root_name


def _full_name(group: Group) -> str:
    """For two images of one folder whose names differ in words such as "image" alone."""
    folder = "" if case_key(group.stem) else group.place.rpartition("/")[2]
    return "_".join([*([folder] if folder else []), group.stem])


def _long_name(group: Group) -> str:
    """The name with its folders in front."""
    parts = group.place.split("/") if group.place else []
    if parts and group.name.startswith(parts[-1]):
        parts.pop()
    return "_".join([*parts, group.name])
