"""Open image files through SimpleITK: whole and undamaged, or with an error a clinician can act on."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.header_limits import EXPORT_AGAIN
from ContrastiveSegLib.file_io.nifti2 import readable_by_itk
from ContrastiveSegLib.file_io.nifti_header import (
    NiftiHeader,
    is_nifti,
    open_uncompressed,
    read_nifti_header,
    refuse_impossible,
    shear,
)
from ContrastiveSegLib.file_io.process_setting import WholeProcess
from ContrastiveSegLib.file_io.screening import screen
from ContrastiveSegLib.imaging.header_geometry import refuse_sheared

CHUNK_BYTES = 1 << 20
PERMISSIVE = "ITK_NIFTI_SFORM_PERMISSIVE"


@contextmanager
def itk_warnings_off() -> Iterator[None]:
    """Keep ITK from writing warnings to the terminal; what matters in them becomes a note."""
    with _WARNINGS_OFF.held():
        yield


def open_image(path: Path) -> sitk.Image:
    """Read a whole image file.

    Raises:
        BadFile: The file is missing, empty, cut off, damaged, or no image.
    """
    check_intact(path)
    with readable_by_itk(path) as file:
        image: sitk.Image = _read(path, _reader(path, file).Execute)
    return image


def open_header(path: Path) -> sitk.ImageFileReader:
    """Read only the header of an image file; the reader then answers GetSize() and so on.

    Raises:
        BadFile: The file is missing, empty or no image.
    """
    check_size(path)
    if is_nifti(path):
        with _damage_in_words(path):
            refuse_impossible(path)
    with readable_by_itk(path, header_only=True) as file:
        reader = _reader(path, file)
        _read(path, reader.ReadImageInformation)
    return reader


def _read(path: Path, read: Callable[[], Any]) -> Any:
    try:
        with itk_warnings_off():
            return read()
    except RuntimeError as error:
        if "orthonormal" not in str(error) or (leaning := shear(path)) == 0:
            raise _unreadable(path, error) from error
        refuse_sheared(path, leaning)
    with itk_warnings_off(), _sheared_axes_allowed():
        return read()


@contextmanager
def _sheared_axes_allowed() -> Iterator[None]:
    """Let ITK straighten the axes of NIfTI files; elsewhere it refuses those that lean at all."""
    with _PERMISSIVE.held():
        yield


def _warnings_off() -> Callable[[], object]:
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    return lambda: sitk.ProcessObject.SetGlobalWarningDisplay(before)


def _permissive() -> Callable[[], object]:
    os.environ[PERMISSIVE] = "1"
    return lambda: os.environ.pop(PERMISSIVE, None)


_WARNINGS_OFF, _PERMISSIVE = WholeProcess(_warnings_off), WholeProcess(_permissive)


@contextmanager
def _damage_in_words(path: Path) -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:  # gzip's errors have none
            raise _not_opened(path, error) from error
        raise BadFile(f"{path} is cut off or damaged: {error}.", EXPORT_AGAIN) from error


def check_intact(path: Path) -> None:
    """Refuse a file that is missing, empty, or a NIfTI file that is cut off, damaged or holds NaN.

    SimpleITK notices such things in other formats, but in a NIfTI file it turns what is missing and what is
    no number into zeros and says nothing.

    Raises:
        BadFile: What is wrong, and how much of it.
    """
    check_size(path)
    if not is_nifti(path):
        return
    with _damage_in_words(path):
        refuse_impossible(path)
        header = read_nifti_header(path)
        held, not_finite = _survey(path, header)
    if header is not None and held < header.data_end:
        raise BadFile(
            f"{path} is cut off: it holds {held} bytes where its header promises {header.data_end}.",
            EXPORT_AGAIN,
        )
    refuse_not_finite(path, not_finite)


def refuse_not_finite(path: Path, count: int) -> None:
    """Refuse a file with voxels that are no finite numbers.

    Raises:
        BadFile: Their number, if there are any.
    """
    if count:
        raise BadFile(
            f"{path} has {count} voxels that are not numbers (NaN) or infinite.",
            "Replace them, for example with 0 or the value of air, and save the file again.",
        )


def header_text(image: sitk.Image | sitk.ImageFileReader, key: str) -> str:
    """An entry of the header as text without surrounding spaces; "" when it is not there."""
    header = cast("sitk.Image", image)  # a reader answers the same questions
    text = str(header.GetMetaData(key)) if header.HasMetaDataKey(key) else ""
    stored = text.encode("utf-8", "surrogateescape")
    try:
        return stored.decode("utf-8").strip()
    except UnicodeDecodeError:
        # Left as it is, the text would hold lone surrogates, which no file or terminal accepts.
        return stored.decode("latin-1").strip()


def _reader(path: Path, file: Path) -> sitk.ImageFileReader:
    """A reader for a file, or for its copy in a format that ITK reads."""
    try:
        screened = screen(path)
    except OSError as error:
        raise _not_opened(path, error) from error
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(file))
    reader.SetImageIO(screened.reader)
    return reader


def _survey(path: Path, header: NiftiHeader | None) -> tuple[int, int]:
    """Read through the whole file: its uncompressed bytes, and its voxels that are not finite."""
    not_finite = 0
    with open_uncompressed(path) as file:
        held = len(file.read(header.data_start if header else 0))
        while chunk := file.read(CHUNK_BYTES):
            held += len(chunk)
            if header and header.float_type:
                voxels = np.frombuffer(
                    chunk, header.float_type, count=len(chunk) // int(header.float_type[-1])
                )
                not_finite += len(voxels) - int(np.count_nonzero(np.isfinite(voxels)))
    return held, not_finite


def check_size(path: Path) -> None:
    """Say of a file first whether anything is in it at all.

    Raises:
        BadFile: It cannot be opened, is a folder, or is empty.
    """
    try:
        is_folder, size = path.is_dir(), path.stat().st_size
    except OSError as error:
        raise _not_opened(path, error) from error
    if is_folder:
        raise BadFile(f"{path} is a folder, not an image file.", "Choose a file.")
    if size == 0:
        raise BadFile(f"{path} is empty: it has zero bytes.", EXPORT_AGAIN)


def _not_opened(path: Path, error: OSError) -> BadFile:
    return BadFile(f"{path} cannot be opened: {error.strerror}.", "Check the name and the access rights.")


def _unreadable(path: Path, error: RuntimeError) -> BadFile:
    """Say the two frequent reasons in words, and keep ITK's own last line for the others."""
    text = str(error)
    if "orthonormal" in text:
        return BadFile(
            f"{path} has sheared axes: its header does not describe a grid of right angles.",
            "Resample it onto a rectangular grid (in Slicer: load it, harden its transform, save it).",
        )
    if "Unable to determine ImageIO" in text:
        return BadFile(
            f"{path} is damaged or not an image in a known format (NIfTI-1, NRRD, MHA/MHD, DICOM).",
            EXPORT_AGAIN,
        )
    # ITK names its reader with an address in memory, which says nothing to anybody.
    last = re.sub(r"^(ITK ERROR: )?\w+\(0x[0-9a-f]+\): ", "", text.strip().splitlines()[-1]).rstrip(".")
    return BadFile(f"{path} cannot be read: {last}.", EXPORT_AGAIN)
