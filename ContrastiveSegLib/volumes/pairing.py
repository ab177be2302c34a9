"""Bring together what belongs to one case: the channels of its image, its labels, its scribbles."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ContrastiveSegLib.volumes.file_names import case_key, case_name, channel_of
from ContrastiveSegLib.volumes.layouts import NNUNET, FoundFile, LeftOut, Survey

# case_0000 to case_0150 are numbers of cases, not of channels.
MOST_CHANNELS = 8


@dataclass(frozen=True)
class Group:
    """The files of one case.

    Args:
        place: Its folder, as in FoundFile.
        key: What the names of its files have in common.
        images: One file per channel, or one file, or one series.
        patient: The PatientID of a DICOM series.
    """

    place: str
    key: str
    name: str
    images: tuple[Path, ...]
    labels: Path | None = None
    scribbles: Path | None = None
    patient: str = ""
    is_series: bool = False


def pair(found: Survey, root_name: str) -> tuple[list[Group], list[LeftOut]]:
    """Make groups of the files that were found, sorted by name; what fits into none comes with the reason.

    Args:
        root_name: What to call a case whose files and folders have no telling name.
    """
    by_role: dict[str, list[FoundFile]] = defaultdict(list)
    for file in found.files:
        by_role[file.role].append(file)
    groups, left_out = _image_groups(by_role["image"], by_role["labels"] + by_role["scribbles"], found)
    groups = [
        group if group.name else replace(group, name=group.place.rpartition("/")[2] or root_name)
        for group in groups
    ]
    for role in ("labels", "scribbles"):
        groups, unpaired = _attached(groups, by_role[role], role)
        left_out += unpaired
    groups, clashing = _told_apart(groups)
    return sorted(groups, key=lambda group: group.name), left_out + clashing


def _image_groups(
    images: Iterable[FoundFile], annotations: Iterable[FoundFile], found: Survey
) -> tuple[list[Group], list[LeftOut]]:
    annotated = {(file.place, case_key(file.stem)) for file in annotations}
    by_place: dict[str, list[FoundFile]] = defaultdict(list)
    for file in images:
        by_place[file.place].append(file)
    groups: list[Group] = []
    left_out: list[LeftOut] = []
    for files in by_place.values():
        split = _are_channels(files, annotated, is_nnunet=found.layout == NNUNET)
        cases, twice = _by_case(files, split)
        expected = max(found.dataset.channels if split else 1, *(max(case) + 1 for case in cases.values()))
        left_out += twice
        for key, case in cases.items():
            missing = sorted(set(range(expected)) - set(case))
            if missing:
                reason = f"channel _{missing[0]:04d} of {expected} channels is missing"
                left_out += [LeftOut(file.path, reason) for file in case.values()]
            else:
                groups.append(_group(key, [case[number] for number in range(expected)], split))
    return groups, left_out


def _are_channels(
    files: Sequence[FoundFile], annotated: Collection[tuple[str, str]], *, is_nnunet: bool
) -> bool:
    """Whether _0000, _0001 at the end of all names in a folder count channels and not cases."""
    numbers: dict[str, set[int]] = defaultdict(set)
    for file in files:
        base, number = channel_of(file.stem)
        if number is None or file.is_series or (file.place, case_key(file.stem)) in annotated:
            return False
        numbers[base].add(number)
    return is_nnunet or all(0 in found and len(found) <= MOST_CHANNELS for found in numbers.values())


def _by_case(
    files: Iterable[FoundFile], split: bool
) -> tuple[dict[str, dict[int, FoundFile]], list[LeftOut]]:
    """Sort the images of one folder by case and channel; of two for the same, the first is kept."""
    cases: dict[str, dict[int, FoundFile]] = defaultdict(dict)
    twice = []
    for file in files:
        base, number = channel_of(file.stem) if split else (file.stem, 0)
        kept = cases[base if file.is_series else case_key(base)].setdefault(number or 0, file)
        if kept is not file:
            twice.append(LeftOut(file.path, f"has the same case name as {kept.path}, which is used"))
    return cases, twice


def _group(key: str, files: Sequence[FoundFile], split: bool) -> Group:
    first = files[0]
    stem = channel_of(first.stem)[0] if split else first.stem
    return Group(
        place=first.place,
        key=key,
        name=stem if first.is_series else case_name(stem),
        images=tuple(file.path for file in files),
        patient=first.patient,
        is_series=first.is_series,
    )


def _attached(
    groups: Sequence[Group], files: Iterable[FoundFile], role: str
) -> tuple[list[Group], list[LeftOut]]:
    """Give each labels or scribbles file to the group of its name and place."""
    groups = list(groups)
    numbers = _numbers_by_name(groups)
    left_out = []
    for file in files:
        number = numbers.get((file.place, case_key(file.stem)))
        if number is None:
            left_out.append(LeftOut(file.path, f"{role} without an image of this name"))
            continue
        group = groups[number]
        other = group.labels if role == "labels" else group.scribbles
        if other is not None:
            left_out.append(LeftOut(file.path, f"{role} of a case that has {other} already"))
        elif role == "labels":
            groups[number] = replace(group, labels=file.path)
        else:
            groups[number] = replace(group, scribbles=file.path)
    return groups, left_out


def _numbers_by_name(groups: Sequence[Group]) -> dict[tuple[str, str], int]:
    """The position of a group under each place and key by which a label may call it."""
    together = Counter(group.place for group in groups)
    numbers: dict[tuple[str, str], int] = {}
    for n, group in enumerate(groups):
        numbers[group.place, group.key] = n
        if together[group.place] == 1:  # Segmentation.seg.nrrd beside the only image
            numbers.setdefault((group.place, ""), n)
        if group.is_series:  # case01.seg.nrrd may lie beside the folder case01 or in it
            for place in (group.place, group.place.rpartition("/")[0]):
                numbers.setdefault((place, case_key(group.key)), n)
    return numbers


def _told_apart(groups: Sequence[Group]) -> tuple[list[Group], list[LeftOut]]:
    """Put the folder before names that several folders have: results of two cases must not share a file."""
    counts = Counter(group.name.casefold() for group in groups)
    kept: dict[str, Group] = {}
    left_out = []
    for group in groups:
        name = group.name if counts[group.name.casefold()] == 1 else _long_name(group)
        other = kept.setdefault(name.casefold(), replace(group, name=name))
        if other.images != group.images:
            reason = f"has the same case name as {other.images[0]}, which is used"
            left_out += [LeftOut(path, reason) for path in group.images]
    return list(kept.values()), left_out


def _long_name(group: Group) -> str:
    parts = group.place.split("/") if group.place else []
    if parts and group.name.startswith(parts[-1]):
        parts.pop()
    return "_".join([*parts, group.name])
