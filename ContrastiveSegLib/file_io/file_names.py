"""What the name of a file says about its format, and which channel of an image it is."""

from __future__ import annotations

import re
import unicodedata

from ContrastiveSegLib.file_io.formats import FORMATS

# The longest first: .seg.nrrd is an .nrrd too, and x.nii.gz is not called x.nii.
_OF_FORMATS = (suffix for kind in FORMATS for suffix in kind.suffixes)
VOLUME_SUFFIXES = (".seg.nrrd", *sorted(_OF_FORMATS, key=len, reverse=True))
# These hold the voxels that an .mhd or .nhdr beside them describes.
VOXEL_SUFFIXES = (".zraw", ".raw.gz", ".raw")

# Of macOS, Windows and network storage; whatever begins with a dot is hidden anyway.
OF_THE_SYSTEM = (
    "__macosx",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "$recycle.bin",
    "system volume information",
    "lost+found",
    "@eadir",
    "icon\r",
)

CHANNEL = re.compile(r"(.+)_(\d{4})", re.DOTALL)


def is_hidden(name: str) -> bool:
    """Whether a file or folder is none of the user's: hidden, or left by the system (._x.dcm, Thumbs.db)."""
    return name.startswith(".") or name.lower() in OF_THE_SYSTEM


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


def channel_of(stem: str) -> tuple[str, int | None]:
    """Split nnU-Net's channel number off: ("case", 1) for case_0001, (stem, None) for others."""
    found = CHANNEL.fullmatch(stem)
    return (found[1], int(found[2])) if found else (stem, None)
