"""What a name says about the role of a file (image, labels, scribbles), and what else it says."""

from __future__ import annotations

import functools
import re

from ContrastiveSegLib.program_identity import UNCERTAINTY

LABEL_WORDS = (
    "labels?|labelmaps?|segmentations?|d?segs?|ground[-_ ]?truth|truth|gt|masks?|annotations?|rois?|lbls?"
    "|msks?"
)
SCRIBBLE_WORDS = "scribbles?"
IMAGE_WORDS = "images?|imgs?|im|imaging|volumes?|vols?|scans?"

BETWEEN = r"[-_. ]"


def role_of_name(stem: str, suffix: str) -> str:
    """What a file is by its name: "labels", "scribbles", "uncertainty", "probabilities", or an "image"."""
    if _without_word(stem, SCRIBBLE_WORDS) is not None:
        return "scribbles"
    if suffix == ".seg.nrrd" or _without_word(stem, LABEL_WORDS) is not None:
        return "labels"
    maps = {UNCERTAINTY: "uncertainty", "_probseg": "probabilities"}
    return next((role for ending, role in maps.items() if stem.lower().endswith(ending)), "image")


def role_of_folder(name: str) -> tuple[str, str]:
    """Read a folder name such as images, labelsTr, scribbles: the role of what is inside, and "tr" or ""."""
    for role, words in (("image", IMAGE_WORDS), ("labels", LABEL_WORDS), ("scribbles", SCRIBBLE_WORDS)):
        found = _pattern(f"(?:{words})(tr|ts|va|val)?").fullmatch(name)
        if found:
            return role, (found[1] or "").lower()
    return "", ""


@functools.lru_cache(maxsize=1 << 16)  # each name of a folder is asked for several times
def spellings(stem: str) -> tuple[str, str, str]:
    """A name as it is, without a word for labels, and without a word for images, too.

    img_1_mask is img_1_mask, img_1, 1. What is left may be "", as of image.nii.gz and Segmentation.seg.nrrd.
    """
    bare = _without_word(stem, SCRIBBLE_WORDS)
    bare = _without_word(stem, LABEL_WORDS) if bare is None else bare
    bare = stem if bare is None else bare
    key = _without_word(bare, IMAGE_WORDS)
    return stem, bare, bare if key is None else key


def case_key(stem: str) -> str:
    """What an image and its label have in common: 01 of image_01 and label_01, case of case and case-seg."""
    return spellings(stem)[-1]


def case_name(stem: str) -> str:
    """The name of a case: like its key, but a leading word stays, so that img001 is not called 001."""
    key = case_key(stem)
    return key if not key or stem.startswith(key) else stem


def is_counted_by_slicer(stem: str) -> bool:
    """Whether 3D Slicer may have numbered the file: Segmentation_1 is the second that was saved."""
    return re.fullmatch(r"Segmentation_\d+", stem) is not None


def _without_word(stem: str, words: str) -> str | None:
    """Take one of the words off a name, at its end, at its start or before its last number; else None."""
    if _pattern(f"(?:{words})").fullmatch(stem):
        return ""
    ends = rf"(.+?)(?:{BETWEEN}+|(?<=\d))(?:{words})"
    if found := _pattern(ends).fullmatch(stem):
        return found[1]
    if found := _pattern(rf"(?:{words})(?:{BETWEEN}+|(?=\d))(.+)").fullmatch(stem):
        return found[1]
    found = _pattern(rf"{ends}{BETWEEN}*(\d+)").fullmatch(stem)
    return f"{found[1]}_{found[2]}" if found else None


@functools.lru_cache(maxsize=256)  # what re keeps itself takes a third of the time of listing a folder
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.DOTALL)  # a name may have a line break
