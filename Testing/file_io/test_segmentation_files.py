"""Slicer's segmentations keep names, colors and terminology, and layers are merged openly."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io import files, layered_nrrd, reader
from ContrastiveSegLib.file_io.files import read_labels
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Geometry

TERM = "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical Structure"


def slicer_file(path: Path, layers: np.ndarray, entries: dict[str, str], *, space: str = "") -> Path:
    """Write (L, K, H, W) as Slicer does: the layers are the first axis of the file, of kind list."""
    count, k, h, w = layers.shape
    axis = "" if count == 1 else "none "
    kind = "" if count == 1 else "list "
    header = [
        "NRRD0004",
        "type: unsigned char",
        f"dimension: {3 if count == 1 else 4}",
        f"space: {space or 'left-posterior-superior'}",
        f"sizes: {'' if count == 1 else count} {w} {h} {k}",
        f"space directions: {axis}(0.5,0,0) (0,0.9,0) (0,0,3)",
        f"kinds: {kind}domain domain domain",
        "encoding: gzip",
        "space origin: (4,-8,100)",
        *(f"{key}:={value}" for key, value in entries.items()),
    ]
    voxels = np.moveaxis(layers, 0, -1).astype(np.uint8).tobytes()
    path.write_bytes("\n".join(header).encode() + b"\n\n" + gzip.compress(voxels))
    return path


def entries_of(*segments: dict[str, str]) -> dict[str, str]:
    entries = {"Segmentation_MasterRepresentation": "Binary labelmap"}
    for number, segment in enumerate(segments):
        entries |= {f"Segment{number}_{key}": value for key, value in segment.items()}
    return entries


def segment(
    name: str, *, label: int = 1, layer: int = 0, color: str = "1 0 0", tags: str = ""
) -> dict[str, str]:
    return {
        "ID": f"Segment_{name}", "Name": name, "LabelValue": str(label), "Layer": str(layer), "Color": color,
        "Tags": tags, "Extent": "0 3 0 4 0 5",
    }  # fmt: skip


@pytest.fixture
def two_layers() -> np.ndarray:
    """Layer 0: liver (1) and vessel (2); layer 1: tumor (1), which shares voxels with both."""
    layers = np.zeros((2, 6, 5, 4), np.uint8)
    layers[0, :4] = 1
    layers[0, 4] = 2
    layers[1, 3:5, 2] = 1
    return layers


def test_a_file_from_slicer_is_read_with_its_tags_and_place(tmp_path, two_layers):
    tags = f"Segmentation.Status:inprogress|TerminologyEntry:{TERM}|my:tag|"
    entries = entries_of(segment("Leber", tags=tags, color="0.5 0.25 1"), segment("vessel", label=2))
    path = slicer_file(tmp_path / "case.seg.nrrd", two_layers[:1], entries)

    read = read_labels(path)

    assert read.table.structures == (
        Structure(1, "Leber", (0.5, 0.25, 1.0), TERM),
        Structure(2, "vessel", (1.0, 0.0, 0.0)),
    )
    np.testing.assert_array_equal(read.volume.array, two_layers[0])
    assert read.volume.geometry == Geometry((4, 5, 6), (0.5, 0.9, 3.0), (4.0, -8.0, 100.0))


def test_a_header_in_ras_is_turned_into_lps(tmp_path, two_layers):
    path = slicer_file(
        tmp_path / "case.seg.nrrd", two_layers[:1], entries_of(segment("a")), space="right-anterior-superior"
    )

    geometry = read_labels(path).volume.geometry

    assert geometry.origin == (-4.0, 8.0, 100.0)
    assert geometry.direction == (-1, 0, 0, 0, -1, 0, 0, 0, 1)


def test_layers_are_merged_and_the_later_segment_wins(tmp_path, two_layers):
    path = slicer_file(
        tmp_path / "case.seg.nrrd",
        two_layers,
        entries_of(segment("liver"), segment("tumor", layer=1), segment("vessel", label=2)),
    )

    read = read_labels(path)

    expected = np.zeros((6, 5, 4), np.int16)
    for claimed, value in ((two_layers[0] == 1, 1), (two_layers[1] == 1, 2), (two_layers[0] == 2, 3)):
        expected[claimed] = value
    np.testing.assert_array_equal(read.volume.array, expected)
    assert read.table.names == ("liver", "tumor", "vessel")
    assert read.table.values == (1, 2, 3)
    assert read.notes == (
        "case.seg.nrrd: 8 voxels belong to more than one segment (liver, tumor, vessel); each went to the "
        "segment that is later in the list.",
    )


def test_layers_that_do_not_overlap_are_merged_without_a_note(tmp_path):
    layers = np.zeros((2, 6, 5, 4), np.uint8)
    layers[0, 0], layers[1, 1] = 1, 1

    read = read_labels(
        slicer_file(tmp_path / "a.seg.nrrd", layers, entries_of(segment("a"), segment("b", layer=1)))
    )

    assert read.notes == ()
    np.testing.assert_array_equal(read.volume.array, layers[0] + 2 * layers[1])


def test_old_files_without_layer_and_label_value_have_one_layer_per_segment(tmp_path, two_layers):
    binary = (two_layers > 0).astype(np.uint8)
    entries = entries_of(*({"ID": name, "Name": name, "Color": "1 0 0"} for name in ("liver", "tumor")))

    read = read_labels(slicer_file(tmp_path / "a.seg.nrrd", binary, entries))

    np.testing.assert_array_equal(read.volume.array, np.where(binary[1], 2, binary[0]))


def test_a_segmentation_without_metadata_is_a_plain_label_map(tmp_path, two_layers):
    read = read_labels(slicer_file(tmp_path / "a.seg.nrrd", two_layers[:1], {}))

    assert read.table.names == ("structure 1", "structure 2")
    np.testing.assert_array_equal(read.volume.array, two_layers[0])


def test_a_given_table_renumbers_the_segments_by_name(tmp_path, two_layers):
    path = slicer_file(
        tmp_path / "a.seg.nrrd", two_layers[:1], entries_of(segment("Vessel", label=2), segment("liver"))
    )
    table = LabelTable((Structure(5, "liver", (1, 0, 0)), Structure(1, "vessel", (0, 1, 0))))

    read = read_labels(path, table)

    assert read.table == table
    np.testing.assert_array_equal(read.volume.array, np.array([0, 5, 1])[two_layers[0]])


def test_structures_that_the_given_table_lacks_are_refused_by_name(tmp_path, two_layers):
    path = slicer_file(
        tmp_path / "a.seg.nrrd", two_layers[:1], entries_of(segment("liver"), segment("vessel", label=2))
    )

    with pytest.raises(
        BadFile, match=r"structures that the label table lacks: vessel \(known: liver\)\. Rename"
    ):
        read_labels(path, LabelTable((Structure(1, "liver", (1, 0, 0)),)))


def test_an_empty_segment_that_the_given_table_lacks_does_no_harm(tmp_path, two_layers):
    path = slicer_file(
        tmp_path / "a.seg.nrrd", two_layers[1:], entries_of(segment("tumor"), segment("draft", label=2))
    )

    read = read_labels(path, LabelTable((Structure(3, "tumor", (1, 0, 0)),)))

    np.testing.assert_array_equal(read.volume.array, two_layers[1] * 3)


def test_segments_of_one_name_are_kept_apart_and_noted(tmp_path, two_layers):
    path = slicer_file(
        tmp_path / "a.seg.nrrd", two_layers[:1], entries_of(segment("Tumor"), segment("tumor", label=2))
    )

    read = read_labels(path)

    assert read.table.names == ("Tumor", "tumor (2)")
    assert read.notes == ("a.seg.nrrd: a second segment 'tumor' is called 'tumor (2)'.",)


def test_segments_of_the_same_voxels_are_noted(tmp_path, two_layers):
    path = slicer_file(tmp_path / "a.seg.nrrd", two_layers[1:], entries_of(segment("a"), segment("b")))

    read = read_labels(path)

    assert read.notes == ("a.seg.nrrd: the segments 'a' and 'b' are the same voxels; they count as 'b'.",)
    assert read.table.values == (1, 2)
    assert set(np.unique(read.volume.array)) == {0, 2}


def test_voxels_of_no_segment_count_as_background_and_are_noted(tmp_path, two_layers):
    path = slicer_file(tmp_path / "a.seg.nrrd", two_layers[:1], entries_of(segment("liver")))

    read = read_labels(path)

    assert read.notes == ("a.seg.nrrd: 20 voxels (value 2) are of no segment and become background.",)
    np.testing.assert_array_equal(read.volume.array, two_layers[0] == 1)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            {"Layer": "4"},
            r"puts the segment 'liver' into layer 4, but has only 1 layers\. Open the segmentation",
        ),
        ({"LabelValue": "one"}, r"describes segment 0 in a damaged way: invalid literal.* save it again"),
        ({"Color": "red"}, "describes segment 0 in a damaged way: could not convert string to float: 'red'"),
        ({"Color": "1 0"}, "describes segment 0 in a damaged way: not enough values"),
    ],
)
def test_damaged_descriptions_are_refused(tmp_path, two_layers, damage, message):
    path = slicer_file(tmp_path / "a.seg.nrrd", two_layers[:1], entries_of(segment("liver") | damage))

    with pytest.raises(BadFile, match=message):
        read_labels(path)


@pytest.mark.parametrize(
    ("name", "kept"),
    [("a\\nb", "a\\nb"), ("tab\there", "tab here"), ("bell\x07,comma", "bell ,comma"), ("x" * 500, None)],
)
def test_names_from_a_file_stay_on_one_line(tmp_path, a_label_map, name, kept):
    image = a_label_map.to_sitk()
    for key, value in {"ID": "s1", "Name": name, "LabelValue": "1", "Color": "nan 0.5 inf"}.items():
        image.SetMetaData(f"Segment0_{key}", value)
    sitk.WriteImage(image, str(tmp_path / "a.seg.nrrd"))

    (structure,) = read_labels(tmp_path / "a.seg.nrrd").table.structures

    assert structure.name == kept or len(structure.name) <= 210
    assert not any(ord(letter) < 32 for letter in structure.name)
    assert all(0 <= part <= 1 for part in structure.color)
    json.dumps(structure.color, allow_nan=False)


def test_many_layers_take_the_memory_of_a_few_slices(tmp_path, monkeypatch):
    layers = np.zeros((40, 32, 64, 64), np.uint8)
    for number, layer in enumerate(layers):
        layer[number % 32, number : number + 20] = 1
    segments = entries_of(*(segment(f"s{n}", layer=n) for n in range(len(layers))))
    path = slicer_file(tmp_path / "many.seg.nrrd", layers, segments)
    expected = np.zeros(layers.shape[1:], np.int16)
    for number, layer in enumerate(layers, start=1):
        expected[layer > 0] = number

    reader._Readers.of_this_process().are_needed, before = False, reader._Readers.of_this_process().are_needed
    monkeypatch.setattr(files, "open_image", None)  # ITK holds all layers at once
    monkeypatch.setattr(layered_nrrd, "SLAB_BYTES", layers.nbytes // 32)
    tracemalloc.start()
    try:
        read = read_labels(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        reader._Readers.of_this_process().are_needed = before

    np.testing.assert_array_equal(read.volume.array, expected)
    assert len(read.table.values) == 40
    assert peak < 2 * 8 * expected.size < layers.nbytes / 2  # bytes of eight int16 volumes
