"""Layers are read slab by slab as ITK reads them whole, and damage is said."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io import layered_nrrd
from ContrastiveSegLib.file_io.layered_nrrd import stored_layers

LAYERS = np.random.default_rng(4).integers(0, 200, (7, 4, 5, 3))  # (K, H, W, L)


def written(path: Path, kind: str, encoding: str = "gzip", endian: str = "little", **changed: str) -> Path:
    """Write LAYERS as Slicer does; the numbers of a type that Slicer does not use are cast."""
    stored = LAYERS.astype({"little": "<", "big": ">"}[endian] + kind).tobytes()
    fields = {
        "type": {
            "u1": "unsigned char",
            "i2": "short",
            "u2": "uint16",
            "i4": "int",
            "u8": "uint64_t",
            "f4": "float",
        }[kind],
        "dimension": "4",
        "space": "left-posterior-superior",
        "sizes": "3 5 4 7",
        "space directions": "none (1,0,0) (0,1,0) (0,0,2)",
        "kinds": "list domain domain domain",
        "endian": endian,
        "encoding": encoding,
        "space origin": "(0,0,0)",
        **{name.replace("_", " "): value for name, value in changed.items()},
    }
    lines = "\n".join(["NRRD0004", *(f"{name}: {value}" for name, value in fields.items())])
    path.write_bytes(lines.encode() + b"\n\n" + (stored if encoding == "raw" else gzip.compress(stored)))
    return path


@pytest.mark.parametrize("slices", [1, 3, 100], ids="slices at a time: {}".format)
@pytest.mark.parametrize("encoding", ["raw", "gzip"])
@pytest.mark.parametrize(("kind", "endian"), [("u1", "little"), ("i2", "big"), ("i4", "little")])
def test_slabs_hold_what_itk_reads(tmp_path, monkeypatch, kind, endian, encoding, slices):
    monkeypatch.setattr(layered_nrrd, "SLAB_BYTES", slices * 4 * 5 * 3 * int(kind[1]))
    path = written(tmp_path / "a.seg.nrrd", kind, encoding, endian)

    slabs = list(stored_layers(path).slabs())

    assert [len(slab) for slab in slabs] == {1: [1] * 7, 3: [3, 3, 1], 100: [7]}[slices]
    np.testing.assert_array_equal(np.concatenate(slabs), sitk.GetArrayFromImage(sitk.ReadImage(str(path))))


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8"])
@pytest.mark.parametrize("is_compressed", [True, False])
def test_layers_that_simpleitk_saved_are_read_slab_by_slab_too(tmp_path, kind, is_compressed):
    image = sitk.GetImageFromArray(LAYERS.astype(kind) // 2, isVector=True)
    sitk.WriteImage(image, str(tmp_path / "a.nrrd"), is_compressed)

    slabs = list(stored_layers(tmp_path / "a.nrrd").slabs())

    np.testing.assert_array_equal(np.concatenate(slabs), sitk.GetArrayFromImage(image))


@pytest.mark.parametrize(
    "changed",
    [{"kinds": "domain domain domain list"}, {"byte_skip": "0"}, {"line_skip": "1"}, {"sizes": "x 5 4 7"}],
)
def test_other_arrangements_are_left_to_itk(tmp_path, changed):
    assert stored_layers(written(tmp_path / "a.seg.nrrd", "u1", **changed)) is None
    assert stored_layers(written(tmp_path / "b.seg.nrrd", "f4")) is None
    assert stored_layers(tmp_path / "none.seg.nrrd") is None


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_a_file_that_was_cut_off_is_refused(tmp_path, encoding):
    path = written(tmp_path / "a.seg.nrrd", "u1", encoding)
    path.write_bytes(path.read_bytes()[:-40])

    with pytest.raises(BadFile, match=r"a\.seg\.nrrd is cut off"):
        list(stored_layers(path).slabs())


def test_a_changed_byte_of_a_compressed_file_is_found(tmp_path):
    path = written(tmp_path / "a.seg.nrrd", "u1")
    content = bytearray(path.read_bytes())
    content[-6] ^= 1  # of the checksum
    path.write_bytes(content)

    with pytest.raises(BadFile, match="cut off or damaged"):
        list(stored_layers(path).slabs())
