"""The listing tells what find_cases() and read_geometry() say, one line each, and every error as a line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.file_io.files import read_geometry, write_image, write_labels
from ContrastiveSegLib.imaging.grid import derive_grid, slicing_axes
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.phantoms.phantom import PhantomCounts, phantom_table, write_phantom_folder
from ContrastiveSegLib.slicer_bridge import case_listing


@pytest.fixture
def a_folder(tmp_path: Path) -> Path:
    """Three patients, two of them with labels, a text and a damaged image."""
    folder = tmp_path / "data"
    write_phantom_folder(folder, PhantomCounts(unlabeled=1, labeled=1, test=1), shape=(6, 24, 24), seed=1)
    (folder / "unlabeled" / "images" / "notes.txt").write_text("none", encoding="utf-8")
    (folder / "unlabeled" / "images" / "broken.nrrd").write_bytes(b"NRRD0004\nsizes: none\n\n")
    return folder


def _told(folder: Path, tmp_path: Path) -> dict[str, list[dict]]:
    """The lines by kind, through the file as the window gets them."""
    order, listing = tmp_path / "order.json", tmp_path / "listing.jsonl"
    order.write_text(json.dumps({"list": {"folder": str(folder), "listing": str(listing)}}), encoding="utf-8")
    assert case_listing.main(["list", "--settings", str(order)]) == 0
    lines = [json.loads(line) for line in listing.read_text(encoding="utf-8").splitlines()]
    return {line["kind"]: [other for other in lines if other["kind"] == line["kind"]] for line in lines}


def test_cases_and_headers_come_through_as_they_are_found(a_folder, tmp_path):
    found = find_cases(a_folder)

    told = _told(a_folder, tmp_path)

    assert tuple(case_listing.case_from_json(line) for line in told["case"]) == found.cases
    assert [case_listing.left_out_from_json(line) for line in told["left_out"]] == list(found.left_out)
    geometries = {line["name"]: case_listing.geometry_from_json(line) for line in told["geometry"]}
    readable = [case for case in found.cases if case.name != "broken"]
    assert geometries == {case.name: read_geometry(case.images) for case in readable}
    assert [line["name"] for line in told["unreadable"]] == ["broken"]
    assert list(told)[-1] == "end"


def test_what_follows_from_all_headers_is_what_the_jobs_will_derive(a_folder, tmp_path):
    geometries = [read_geometry(c.images) for c in find_cases(a_folder).cases if c.name != "broken"]
    grid = derive_grid(geometries)

    told = _told(a_folder, tmp_path)

    (line,) = told["grid"]
    assert line["plane"] == grid.plane
    assert line["slices"] == sum(g.size[abs(slicing_axes(g, grid.plane)[2]) - 1] for g in geometries)
    named = [structure["name"] for structure in told["table"][0]["table"]["structures"]]
    assert named == list(phantom_table().names)


def test_the_value_to_ignore_is_no_structure(a_volume, tmp_path):
    labels = np.zeros(a_volume.geometry.shape, np.int16)
    labels[2:4, 2:6, 2:6], labels[6:] = 1, 7
    table = LabelTable.default_for([1, 7])
    folder = tmp_path / "data"
    write_image(folder / "imagesTr" / "a.nii.gz", a_volume)
    write_labels(folder / "labelsTr" / "a.nii.gz", Volume(labels, a_volume.geometry), table)
    (folder / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "ignore": 7}}))

    told = _told(folder, tmp_path)

    assert case_listing.case_from_json(told["case"][0]).ignored == 7
    assert [s["value"] for s in told["table"][0]["table"]["structures"]] == [1]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "/data/x"), "/data/x: Permission denied."),
        (RuntimeError("itk::ERROR\nGDCM: no such tag"), "GDCM: no such tag."),
        (MemoryError(), "MemoryError."),
    ],
)
def test_whatever_goes_wrong_is_one_sentence(a_folder, tmp_path, monkeypatch, error, said):
    def fail(_folder):
        raise error

    monkeypatch.setattr(case_listing, "find_cases", fail)

    told = _told(a_folder, tmp_path)

    assert told["error"][0]["text"] == f"The folder {a_folder} cannot be looked through: {said}"
    assert "end" in told


def test_a_folder_that_is_not_there_is_said_as_everywhere(tmp_path):
    (line,) = _told(tmp_path / "none", tmp_path)["error"]

    assert "does not exist" in line["text"]


def test_whatever_a_header_does_costs_one_case(a_folder, tmp_path, monkeypatch):
    def fail_once(paths, **_options):
        if "phantom_002" in str(paths[0]):
            raise PermissionError(13, "Permission denied", str(paths[0]))
        return read_geometry(paths)

    monkeypatch.setattr(case_listing, "read_geometries", lambda images: [None] * len(images))
    monkeypatch.setattr(case_listing, "read_geometry", fail_once)

    told = _told(a_folder, tmp_path)

    reasons = {line["name"]: line["reason"] for line in told["unreadable"]}
    assert reasons["phantom_002"].endswith("phantom_002.nii.gz: Permission denied")
    assert len(told["geometry"]) == 2
    assert told["grid"][0]["slices"] > 0
