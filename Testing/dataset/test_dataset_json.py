"""The dataset.json of both generations is understood, and a broken one is said to be broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ContrastiveSegLib.dataset.cases import CaseList, find_cases
from ContrastiveSegLib.dataset.dataset_json import read_dataset_file
from ContrastiveSegLib.errors import BadFile


def write(folder: Path, content: Any) -> Path:
    path = folder / "dataset.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"0": "background", "1": "anterior", "2": "posterior"}, {1: "anterior", 2: "posterior"}),
        ({"background": 0, "liver": 1, "tumor": 2}, {1: "liver", 2: "tumor"}),
        ({"background": 0, "whole": [1, 2], "core": [2]}, {1: "rest of whole", 2: "core"}),
        (
            {"background": 0, "whole": [1, 2, 3, 4], "core": [2, 3], "enhancing": 3},
            {1: "structure 1", 2: "rest of core", 3: "enhancing", 4: "structure 4"},
        ),
    ],
)
def test_names_are_read_in_either_direction(
    tmp_path: Path, labels: dict[str, Any], expected: dict[int, str]
) -> None:
    table = read_dataset_file(write(tmp_path, {"labels": labels})).table

    assert table is not None
    assert {s.value: s.name for s in table.structures} == expected


@pytest.mark.parametrize(
    ("labels", "names", "ignored"),
    [
        ({"background": 0, "liver": 1, "ignore": 2}, ("liver",), 2),
        ({"background": 0, "whole": [1, 2], "core": [2], "ignore": 3}, ("rest of whole", "core"), 3),
        ({"0": "background", "1": "liver", "2": "Ignore"}, ("liver",), 2),
        ({"background": "0", "liver": "1", "ignore": "7"}, ("liver",), 7),
        ({"background": 0, "liver": 1}, ("liver",), None),
    ],
)
def test_the_label_that_says_nothing_is_no_structure(
    tmp_path: Path, labels: dict[str, Any], names: tuple[str, ...], ignored: int | None
) -> None:
    dataset = read_dataset_file(write(tmp_path, {"labels": labels}))

    assert dataset.table is not None
    assert (dataset.table.names, dataset.ignored) == (names, ignored)


@pytest.mark.parametrize("key", ["modality", "channel_names"])
def test_channels_are_counted(tmp_path: Path, key: str) -> None:
    assert read_dataset_file(write(tmp_path, {key: {"0": "T1", "1": "T2"}})).channels == 2


def test_nothing_said_is_nothing_known(tmp_path: Path) -> None:
    dataset = read_dataset_file(write(tmp_path, {}))

    assert (dataset.table, dataset.channels) == (None, 0)


@pytest.mark.parametrize("content", ["{", "[]", {"labels": {"liver": "x"}}, {"labels": {"1": "a", "2": "a"}}])
def test_a_broken_file_is_named(tmp_path: Path, content: Any) -> None:
    with pytest.raises(BadFile, match=r"dataset\.json cannot be understood.* Correct it, or remove it"):
        read_dataset_file(write(tmp_path, content))


def found_in(folder: Path, names: str, content: Any) -> CaseList:
    """Empty files beside a dataset.json."""
    for name in names.split():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    write(folder, content)
    return find_cases(folder)


def test_channels_in_files_of_their_own_are_one_case(tmp_path: Path) -> None:
    names = "imagesTr/a_0001.nii.gz imagesTr/a_0000.nii.gz imagesTr/b_0001.nii.gz imagesTr/b_0000.nii.gz"
    content = {"channel_names": {"0": "T1", "1": "T2"}, "labels": {"tumor": 1}}

    found = found_in(tmp_path, f"{names} labelsTr/a.nii.gz imagesTs/c_0000.nii.gz", content)

    assert found.layout == "nnU-Net"
    assert found.table is not None
    assert found.table.names == ("tumor",)
    assert found.cases[0].images == tuple(tmp_path / f"imagesTr/a_000{c}.nii.gz" for c in (0, 1))
    assert [(case.name, case.labels is not None) for case in found.cases] == [("a", True), ("b", False)]
    assert not any(case.last_axis_is_channels for case in found.cases)
    assert [item.reason for item in found.left_out] == ["channel _0001 of 2 channels is missing"]


def test_the_decathlon_keeps_channels_on_the_last_axis(tmp_path: Path) -> None:
    names = "imagesTr/B_1.nii.gz imagesTr/._B_1.nii.gz labelsTr/B_1.nii.gz imagesTs/B_4.nii.gz"
    content = {"modality": {"0": "T1", "1": "T2"}, "labels": {"1": "edema"}}

    found = found_in(tmp_path, names, content)

    assert found.layout == "Medical Segmentation Decathlon"
    assert [(case.name, case.labels is not None) for case in found.cases] == [
        ("B_1", True),
        ("B_4", False),
    ]
    assert all(case.last_axis_is_channels for case in found.cases)


def test_a_broken_dataset_file_is_left_out_with_its_fault(tmp_path: Path) -> None:
    found = found_in(tmp_path, "imagesTr/a.nii.gz", "{")

    assert len(found.cases) == 1
    assert "cannot be understood" in found.left_out[0].reason
