"""DICOM that is encrypted, private or packed in unknown ways is called so, and costs no other file."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.files import read_image
from Testing.file_io.test_dicom import a_series_folder

__all__ = ["a_series_folder"]


def _other_file(folder: Path, change) -> Path:
    """A slice without its pixels, which `change` makes something else."""
    dataset = pydicom.dcmread(sorted(folder.iterdir())[0])
    del dataset.PixelData
    change(dataset)
    dataset.save_as(folder / "other.dcm")
    return folder / "other.dcm"


def _private(dataset) -> None:
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.3.12.2.1107.5.9.1"
    dataset.private_block(0x0029, "SIEMENS CSA NON-IMAGE", create=True).add_new(0x10, "OB", bytes(64))


def _encrypted(dataset) -> None:
    content = pydicom.Dataset()
    content.EncryptedContentTransferSyntaxUID = "1.2.840.10008.1.2.1"
    content.EncryptedContent = bytes(range(64))
    dataset.EncryptedAttributesSequence = [content]
    del dataset.Rows


def test_a_private_file_of_the_scanner_beside_the_slices_does_no_harm(a_series_folder):
    file = _other_file(a_series_folder, _private)

    assert read_image([a_series_folder]).volume.geometry.size == (6, 5, 4)
    (out,) = find_cases(a_series_folder.parent).left_out
    assert out.path == file
    assert out.reason == (
        "a file of a private kind of its manufacturer (1.3.12.2.1107.5.9.1), which holds no image"
    )


def test_private_elements_of_slices_do_no_harm(a_series_folder):
    for file in a_series_folder.iterdir():
        dataset = pydicom.dcmread(file)
        dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x08, "CS", "IMAGE NUM 4")
        dataset.save_as(file)

    assert read_image([a_series_folder]).notes == ()


def test_an_encrypted_file_is_called_so(a_series_folder):
    file = _other_file(a_series_folder, _encrypted)

    reasons = {out.path: out.reason for out in find_cases(a_series_folder.parent).left_out}

    assert reasons[file] == "encrypted; export it without encryption"


def test_a_private_form_is_called_so(a_series_folder):
    for file in a_series_folder.iterdir():
        dataset = pydicom.dcmread(file)
        dataset.file_meta.TransferSyntaxUID = "1.3.46.670589.33.1.4.1"
        pydicom.dcmwrite(file, dataset, implicit_vr=True, little_endian=True)

    with pytest.raises(BadFile, match=r"it is in a private form of its manufacturer \(1\.3\.46\.670589\."):
        read_image([a_series_folder])


def test_pixels_that_cannot_be_unpacked_are_a_sentence_without_addresses(a_series_folder):
    for file in a_series_folder.iterdir():
        dataset = pydicom.dcmread(file)
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.70"
        dataset.PixelData = pydicom.encaps.encapsulate([bytes(range(200))])
        dataset.save_as(file)

    with pytest.raises(
        BadFile, match=r"cannot be read: [A-Z][^()]*\. Export the series again, without compr"
    ):
        read_image([a_series_folder])
