"""What a name says: the format of a file, its case, channel and patient, and whether it is a label."""

from __future__ import annotations

import re
import unicodedata

# The longest first: .seg.nrrd is an .nrrd too.
VOLUME_SUFFIXES = (".seg.nrrd", ".nii.gz", ".nrrd", ".nhdr", ".nii", ".mha", ".mhd")
# These hold the voxels that an .mhd or .nhdr beside them describes.
VOXEL_SUFFIXES = (".zraw", ".raw.gz", ".raw")

LABEL_WORDS = "labels?|labelmap|segmentations?|segs?|ground[-_ ]?truth|gt|masks?|annotations?"
SCRIBBLE_WORDS = "scribbles?"
IMAGE_WORDS = "images?|img|volumes?|vol"

CHANNEL = re.compile(r"(.+)_(\d{4})")
BIDS_SUBJECT = re.compile(r"(?:^|[/_])(sub-[A-Za-z0-9]+)")
# patient001_frame12, P7-T2, case3_ses-01_t1, 007_ED: what follows the patient says which of the images it is.
WHICH_IMAGE = re.compile(
    r"[-_. ]+(?:(?:frame|timepoint|time|tp|t|phase|ph|session|ses|visit|followup|fu)[-_ ]?\d+"
    r"|baseline|followup|ed|es)$",
    re.IGNORECASE,
)


def split_suffix(name: str) -> tuple[str, str]:
    """Split a file name before the suffix of a volume format; the suffix is "" for other formats."""
    lower = name.lower()
    for suffix in VOLUME_SUFFIXES:
        if lower.endswith(suffix) and len(name) > len(suffix):
            return composed(name[: -len(suffix)]), suffix
    return name, ""


def composed(text: str) -> str:
    """One spelling of accents: macOS writes an umlaut as two characters, others as one."""
    return unicodedata.normalize("NFC", text)


def role_of_name(stem: str, suffix: str) -> str:
    """Whether a file is, by its name, "labels", "scribbles", an "uncertainty" map, or else an "image"."""
    if _without_word(stem, SCRIBBLE_WORDS) is not None:
        return "scribbles"
    if suffix == ".seg.nrrd" or _without_word(stem, LABEL_WORDS) is not None:
        return "labels"
    return "uncertainty" if stem.lower().endswith("_uncertainty") else "image"


def role_of_folder(name: str) -> tuple[str, str]:
    """Read a folder name such as images, labelsTr, scribbles: the role of what is inside, and "tr" or ""."""
    for role, words in (("image", IMAGE_WORDS), ("labels", LABEL_WORDS), ("scribbles", SCRIBBLE_WORDS)):
        found = _pattern(f"(?:{words})(tr|ts|va|val)?").fullmatch(name)
        if found:
            return role, (found[1] or "").lower()
    return "", ""


def case_key(stem: str) -> str:
    """What an image and its label have in common: case01 for case01_image, case01-label, label_case01.

    "" when the name says nothing but what kind of file it is, as in image.nii.gz and Segmentation.seg.nrrd.
    """
    for words in (SCRIBBLE_WORDS, LABEL_WORDS, IMAGE_WORDS):
        key = _without_word(stem, words)
        if key is not None:
            return key
    return stem


def case_name(stem: str) -> str:
    """The name of a case: like its key, but a leading word stays, so that img001 is not called 001."""
    key = case_key(stem)
    return key if not key or stem.startswith(key) else stem


def channel_of(stem: str) -> tuple[str, int | None]:
    """Split nnU-Net's channel number off: ("case", 1) for case_0001, (stem, None) for others."""
    found = CHANNEL.fullmatch(stem)
    return (found[1], int(found[2])) if found else (stem, None)


def patient_of(place: str, name: str) -> str:
    """The patient of a case: sub-XX if it is somewhere in the path, else the name up to its frame or session.

    Args:
        place: The folder of the case, with slashes.
    """
    subject = BIDS_SUBJECT.search(name) or BIDS_SUBJECT.search(place)
    if subject:
        return subject[1]
    shorter = WHICH_IMAGE.sub("", name)
    return patient_of("", shorter) if shorter and shorter != name else name


def _without_word(stem: str, words: str) -> str | None:
    """Take one of the words off the end or the start of a name; None when neither has it."""
    if _pattern(rf"(?:{words})(?:_\d+)?").fullmatch(stem):  # Slicer counts: Segmentation_1
        return ""
    found = _pattern(rf"(.+?)[-_. ]+(?:{words})").fullmatch(stem)
    found = found or _pattern(rf"(?:{words})(?:[-_. ]+|(?=\d))(.+)").fullmatch(stem)
    return found[1] if found else None


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)  # re keeps the compiled patterns
