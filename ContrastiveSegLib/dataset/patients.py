"""Whose image each case is: as DICOM or BIDS says, else by the folder of a patient, else by the name."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from ContrastiveSegLib.dataset.file_roles import BETWEEN, case_name
from ContrastiveSegLib.dataset.pairing import Group
from ContrastiveSegLib.dataset.patient_words import (
    is_part_of_patient,
    names_a_patient,
    shortened,
    tells_many_apart,
)
from ContrastiveSegLib.dataset.repeated_words import alike_but_for_the_first_word, without_repeated_words

BIDS_SUBJECT = re.compile(r"(?:^|[/_])(sub-[A-Za-z0-9]+)")

# A folder with more images than that is one of many patients, such as those of a hospital.
MOST_OF_A_PATIENT = 20

REMEDY = "If that is wrong, --patient-pattern says which part of a name is the patient."


def patients_of(groups: Sequence[Group], root_name: str) -> list[str]:
    """The patient of each group; in doubt, images that lie together are of one.

    Args:
        root_name: What to call a patient of whom no name and no folder tells.
    """
    folders = [_folder(group) for group in groups]
    names = _names(groups)
    places = defaultdict(set)
    for scope, name in names:
        places[name].add(scope)
    by_folder = _patient_folders(folders)
    spelled = _short_paths(by_folder)
    guesses = []
    for group, folder, (scope, name) in zip(groups, folders, names, strict=True):
        subject = BIDS_SUBJECT.search(group.name) or BIDS_SUBJECT.search(group.place)
        if group.patient or subject:
            guesses.append(group.patient or (subject[1] if subject else ""))
        elif folder in by_folder and not _told_by_name(folder, name, places):
            guesses.append(spelled[folder])
        elif not name:  # t1.nii and t2.nii: whoever the folder belongs to
            guesses.append("_".join(scope) or root_name)
        else:
            guesses.append("_".join([*scope, name]) if len(places[name]) > 1 else name)
    return guesses


def _names(groups: Sequence[Group]) -> list[tuple[tuple[str, ...], str]]:
    """For each group the folders that tell patients apart, and what its name says of the patient."""
    names = [(_scope(group), shortened(_own_name(group))) for group in groups]
    by_scope: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for scope, name in names:
        by_scope[scope].add(name)
    short = {scope: without_repeated_words(of_scope) for scope, of_scope in by_scope.items()}
    return [(scope, short[scope][name]) for scope, name in names]


def remarks_on(groups: Sequence[Group], patients: Sequence[str]) -> tuple[str, ...]:
    """What the user should know about patients that were guessed."""
    distinct = set(patients)
    if len(distinct) == 1 and len(groups) > 1:
        return (
            f"All {len(groups)} cases count as images of one patient ({patients[0]}), so that none can be "
            f"held out for validation. {REMEDY}",
        )
    by_stem: dict[str, set[str]] = defaultdict(set)
    for patient in distinct:
        for last in (r"[^\W\d_]+", r"[^\W\d_][^\W_]*"):  # a word, and one with a number, such as T1xy
            stem = re.sub(rf"{BETWEEN}+{last}$", "", patient)
            if stem == patient or not re.search(r"\d", stem):
                continue
            if stem in distinct:
                by_stem[stem] |= {stem, patient}
            elif last == r"[^\W\d_]+":
                by_stem[stem].add(patient)
    alike = [sorted(several) for several in by_stem.values() if len(several) > 1]
    return (
        *_joined(groups),
        *_spelled_alike(distinct),
        *_told_apart(alike, "last"),
        *_told_apart(alike_but_for_the_first_word(distinct), "first"),
    )


def _told_apart(alike: Sequence[list[str]], which: str) -> tuple[str, ...]:
    """What counts as several patients, and may be one."""
    if not alike:
        return ()
    return (
        f"{' and '.join(min(alike)[:2])} count as two patients, although their names differ in the {which} "
        f"word only ({len(alike)} such groups). If they are one, say with --patient-pattern which part of a "
        f"name is the patient.",
    )


def _spelled_alike(patients: Iterable[str]) -> tuple[str, ...]:
    """A remark on patients whose names differ in capitals alone."""
    by_key: dict[str, list[str]] = defaultdict(list)
    for patient in sorted(patients):
        by_key[patient.casefold()].append(patient)
    alike = [several for several in by_key.values() if len(several) > 1]
    if not alike:
        return ()
    return (
        f"{' and '.join(alike[0])} count as {len(alike[0])} patients, although their names differ in "
        f"capitals alone ({len(alike)} such groups). If they are one, give them one spelling.",
    )


def _joined(groups: Sequence[Group]) -> tuple[str, ...]:
    """What was taken for one patient by last words that other names have, too."""
    before = [shortened(_own_name(group)) for group in groups]
    shorter = sorted({(new, old) for old, (_, new) in zip(before, _names(groups), strict=True) if new != old})
    if not shorter:
        return ()
    patient, name = shorter[0]
    return (
        f"{name} counts as an image of {patient}, because its last word follows other names, too "
        f"({len(shorter)} such names). {REMEDY}",
    )


def _own_name(group: Group) -> str:
    """The name without the folders that may have been put in front; "" if it says nothing."""
    name = group.stem if group.is_series else case_name(group.stem)
    return name or group.place.rpartition("/")[2] or group.name


def _parts(group: Group) -> list[str]:
    """The folders around a case; the one that is the case itself is none of them."""
    parts = group.place.split("/") if group.place else []
    is_case = group.is_series or not case_name(group.stem)
    return parts[:-1] if is_case and len(parts) > 1 and parts[-1] == _own_name(group) else parts


def _scope(group: Group) -> tuple[str, ...]:
    """The folders that tell apart patients of the same name."""
    own = _own_name(group)
    return tuple(part for part in _parts(group) if part != own and not is_part_of_patient(part))


def _folder(group: Group) -> str:
    """The innermost folder that may be that of a patient, as a path; "" if there is none."""
    parts = _parts(group)
    while parts and is_part_of_patient(parts[-1]):
        parts = parts[:-1]
    return "/".join(parts) if parts and not tells_many_apart(parts[-1]) else ""


def _patient_folders(folders: Sequence[str]) -> set[str]:
    """The folders that are taken for those of patients: several, and with few images each."""
    counts = Counter(folder for folder in folders if folder)
    found = {
        folder
        for folder, count in counts.items()
        if count <= MOST_OF_A_PATIENT or names_a_patient(folder.rpartition("/")[2])
    }
    return found if len(found) > 1 else set()


def _told_by_name(folder: str, name: str, places: dict[str, set[tuple[str, ...]]]) -> bool:
    """Whether a name is that of a patient, while the folder may be any: liver/patient_007."""
    return names_a_patient(name) and not names_a_patient(folder.rpartition("/")[2]) and len(places[name]) == 1


def _short_paths(folders: Iterable[str]) -> dict[str, str]:
    """How a folder is called: by its last part where that is enough."""
    last = Counter(folder.rpartition("/")[2] for folder in folders)
    return {
        folder: folder.rpartition("/")[2]
        if last[folder.rpartition("/")[2]] == 1
        else folder.replace("/", "_")
        for folder in folders
    }
