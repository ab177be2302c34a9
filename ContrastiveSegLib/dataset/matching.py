"""Which label belongs to which image, by what their names have in common; where several could, none does."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ContrastiveSegLib.dataset.file_roles import BETWEEN, is_counted_by_slicer, spellings
from ContrastiveSegLib.dataset.patient_words import is_part_of_patient, names_a_patient

# Ways in which names agree, the surest first. From PADDING on, a second claim makes both doubtful.
SAME, WITHOUT_WORD, KEY, PADDING, NUMBER, ALONE = range(6)

SHOWN = 3

# Entities of BIDS that say how something was made of a scan, and not of which.
MADE_ENTITIES = ("space", "res", "den", "desc", "label", "seg", "atlas", "hemi")


@dataclass(frozen=True)
class Match:
    """What was found for one label.

    Args:
        image: Position of its image; None if it has none.
        rival: Position of the label that its image has already.
        doubt: Why it was given to no image, although names agree.
    """

    image: int | None = None
    rival: int | None = None
    doubt: str = ""


@dataclass(frozen=True)
class Partners:
    """Which file holds the predicted labels of which case.

    Args:
        files: By the name of the case, in the order of the predictions.
        doubts: Files that belong to no case although names agree, and why.
    """

    files: Mapping[str, Path]
    doubts: Mapping[Path, str]


def match_predictions(predictions: Mapping[str, Path], cases: Sequence[str]) -> Partners:
    """Find the case of each prediction by its name.

    Args:
        predictions: Files by the names that they go by.
        cases: Names of all cases there are, also of those that nobody asked for: else a prediction of one of
            these would go to the case whose name is the next best.
    """
    matches = dict(zip(predictions.values(), match_names(list(predictions), cases), strict=True))
    return Partners(
        {cases[match.image]: path for path, match in matches.items() if match.image is not None},
        {path: match.doubt for path, match in matches.items() if match.doubt},
    )


def match_names(labels: Sequence[str], images: Sequence[str], *, alone: int | None = None) -> list[Match]:
    """Bring the names of labels and images together; one answer for each label.

    Names agree if they are the same, or the same but for words such as "label" and "image", for the zeros
    before a number, or if one is nothing but the only number of the other (ct_012, label_12).

    Args:
        alone: The only image beside the labels: a label whose name says nothing belongs to it.
    """
    index = _Index(images)
    claims: list[tuple[int, list[int]]] = []
    for name in labels:
        way, found = index.find(name)
        if not found and alone is not None and _says_nothing(name, images[alone]):
            way, found = ALONE, [alone]
        claims.append((way, found))
    of_image: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for label, (way, found) in enumerate(claims):
        if len(found) == 1:
            of_image[found[0]].append((way, label))
    return [_answer(label, found, of_image, (labels, images)) for label, (_, found) in enumerate(claims)]


def fit_none(labels: Sequence[str], images: Sequence[str]) -> bool:
    """Whether no label is called like an image, not even doubtfully."""
    index = _Index(images)
    found = {name: index.find(name) for name in labels}
    return all(
        not images_of or (way == NUMBER and _is_numbered_part(name, index))
        for name, (way, images_of) in found.items()
    )


def _is_numbered_part(name: str, index: _Index) -> bool:
    """Whether the number of a name counts parts of the body, as in vertebrae_L1, and not patients."""
    words = re.findall(r"[^\W\d_]{3,}", spellings(name)[-1])
    is_person = names_a_patient(name) or is_part_of_patient(name)
    return bool(words) and not is_person and not any(index.find(word)[1] for word in words)


def _answer(
    label: int,
    found: Sequence[int],
    of_image: dict[int, list[tuple[int, int]]],
    names: tuple[Sequence[str], Sequence[str]],
) -> Match:
    labels, images = names
    if len(found) != 1:
        several = ", ".join(images[n] for n in found[:SHOWN])
        doubt = f"could belong to several images ({several}); name it like its image"
        return Match(doubt=doubt if found else "")
    best, first = min(of_image[found[0]])
    equals = [other for way, other in of_image[found[0]] if way == best]
    if best >= PADDING and len(equals) > 1:
        others = ", ".join(labels[n] for n in equals if n != label)
        return Match(
            doubt=f"could belong to {images[found[0]]}, but so could {others}; name it like its image"
        )
    return Match(image=found[0]) if label == first else Match(rival=first)


class _Index:
    """Names of images, to be found in every way that a label may call them."""

    def __init__(self, images: Sequence[str]) -> None:
        self._found: list[dict[str, list[int]]] = [defaultdict(list) for _ in range(NUMBER)]
        self._numbered: dict[int, list[int]] = defaultdict(list)
        self._bare: dict[int, list[int]] = defaultdict(list)
        self._of_bids: dict[frozenset[str], list[int]] = defaultdict(list)
        for position, name in enumerate(images):
            stem, _, key = spellings(name)
            self._found[SAME][stem].append(position)
            self._found[WITHOUT_WORD][stem].append(position)
            self._of_bids[_bids_entities(stem)].append(position)
            if key:
                self._found[KEY][key].append(position)
                self._found[PADDING][_plain(key)].append(position)
            if (number := _only_number(key)) is not None:
                self._numbered[number].append(position)
                if key.isdecimal():
                    self._bare[number].append(position)

    def find(self, label: str) -> tuple[int, list[int]]:
        """The surest way in which names agree with that of a label, and the images for which they do."""
        stem, bare, key = spellings(label)
        for way, name in ((SAME, stem), (WITHOUT_WORD, bare), (KEY, key), (PADDING, _plain(key))):
            if found := self._found[way].get(name):
                return way, found
        if entities := _bids_entities(label):
            return KEY, self._of_bids.get(entities, [])
        number = _only_number(key)
        if number is None:
            return NUMBER, []
        return NUMBER, (self._numbered if key.isdecimal() else self._bare).get(number, [])


def _bids_entities(stem: str) -> frozenset[str]:
    """Such as {sub-01, ses-2}: of which scan a file of BIDS is, whatever was made of it; empty for others.

    Source: Brain Imaging Data Structure 1.10, appendix Entities.
    """
    parts = stem.split("_")
    if not parts[0].startswith("sub-"):
        return frozenset()
    return frozenset(part for part in parts if "-" in part and part.partition("-")[0] not in MADE_ENTITIES)


def _plain(key: str) -> str:
    """A name without regard to capitals, to what stands between words, and to zeros before numbers."""
    return re.sub(rf"{BETWEEN}+", "_", re.sub(r"\d+", lambda n: str(int(n[0])), key.casefold()))


def _only_number(key: str) -> int | None:
    """The only number of a name; of t1_007 it is 7, because t1 is a word."""
    numbers = re.findall(r"(?<![^\W_])\d+(?![^\W_])", key) or re.findall(r"\d+", key)
    return int(numbers[0]) if len(numbers) == 1 else None


def _says_nothing(label: str, image: str) -> bool:
    """Whether a label may belong to an image that no other lies beside, whatever it is called."""
    key, of_image = spellings(label)[-1], spellings(image)[-1]
    if not key:
        return True
    if not key.isdecimal() or of_image.isdecimal():
        return False  # image_2 and mask_1 belong to two patients
    return is_counted_by_slicer(label) or re.search(r"\d", of_image) is None
