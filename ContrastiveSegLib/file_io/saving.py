"""Save an image so that the file is either complete or not there at all."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import SimpleITK as sitk

from ContrastiveSegLib.disk import FULL_BYTES, replacing
from ContrastiveSegLib.errors import BadFile, CannotWrite
from ContrastiveSegLib.file_io.opening import check_intact, itk_warnings_off
from ContrastiveSegLib.file_io.provenance import Mark, seal
from ContrastiveSegLib.program_identity import PROGRAM

# The longest suffix first: .seg.nrrd is an .nrrd too.
SUFFIXES = (".seg.nrrd", ".nrrd", ".nii.gz", ".nii", ".mha")

FREE_SPACE = "Free some space or choose another folder, then start again."


def save_atomically(
    image: sitk.Image, path: Path, *, overwrite: bool = False, mark: Mark | None = None
) -> None:
    """Write to a hidden file beside the target, check it, then rename it to the target.

    Args:
        mark: Says in the header that this program made the file, and from what.

    Raises:
        CannotWrite: The file exists, the format is unknown, or the disk refuses; no partial file remains.
    """
    suffix = suffix_of(path)
    try:
        with replacing(path, suffix) as temporary:
            if path.exists() and not overwrite:
                raise CannotWrite(f"{path} exists already.", "Choose another name, or allow overwriting.")
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(image, temporary, mark)
    except (RuntimeError, ValueError, BadFile) as error:
        raise _incomplete(path, image) from error


def suffix_of(path: Path) -> str:
    """The suffix that decides the format, in lower case.

    Raises:
        CannotWrite: No known format.
    """
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix):
            return suffix
    raise CannotWrite(
        f"{path} has no format that can be written.", f"End the name with {', '.join(SUFFIXES)}."
    )


def _write(image: sitk.Image, temporary: Path, mark: Mark | None) -> None:
    """Write, look whether all of it arrived, and force it to the disk."""
    temporary.open("xb").close()  # says why not, which SimpleITK would not
    if mark:
        image.SetMetaData(PROGRAM, mark.text)
    try:
        with itk_warnings_off():
            sitk.WriteImage(image, str(temporary), useCompression=True)
        check_intact(temporary)  # SimpleITK does not notice a disk that fills up under a NIfTI file
    except (RuntimeError, BadFile) as error:
        if shutil.disk_usage(temporary.parent).free < FULL_BYTES:
            # As the system would say it: this meets every other case, too.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(temporary)) from error
        raise
    if mark:
        seal(temporary, mark)


def _incomplete(path: Path, image: sitk.Image) -> CannotWrite:
    needed = (
        image.GetNumberOfPixels() * image.GetNumberOfComponentsPerPixel() * image.GetSizeOfPixelComponent()
    )
    free = shutil.disk_usage(path.parent).free
    return CannotWrite(
        f"{path} could not be written completely ({needed >> 20} MB before compression; the disk has "
        f"{free >> 20} MB free).",
        FREE_SPACE,
    )
