"""`scan` shows what is annotated as fine-tuning will understand it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import SimpleITK as sitk
import torch

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.file_io.files import write_image, write_labels
from ContrastiveSegLib.imaging.grid import LARGEST_SIDES, derive_grid
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.jobs import scan
from ContrastiveSegLib.preprocessing.prepared_cache import collect_table
from ContrastiveSegLib.session.device import Compute
from ContrastiveSegLib.settings.job_settings import ScanSettings


def test_labels_that_cannot_be_used_leave_the_image_as_it_is(
    tmp_path, a_volume, a_label_map, a_label_table, capsys
):
    write_image(tmp_path / "a.nrrd", a_volume)
    elsewhere = Volume(a_label_map.array, Geometry(a_volume.geometry.size))
    write_labels(tmp_path / "a.seg.nrrd", elsewhere, a_label_table)

    scan.run(ScanSettings(folder=tmp_path))

    printed = capsys.readouterr().out
    assert f"left out: {tmp_path / 'a.seg.nrrd'}: The labels of a " in printed
    assert "1 cases of 1 patients, 0 with labels; 1 files left out." in printed


def test_whole_cases_slices_and_cases_without_labels_are_told_apart(
    tmp_path, a_volume, a_label_map, a_label_table, capsys
):
    sparse = np.where(np.isin(np.arange(9), [2, 5])[:, None, None], a_label_map.array, 0)
    for name, labels in {"whole": a_label_map.array, "sparse": sparse, "empty": None}.items():
        write_image(tmp_path / f"{name}.nrrd", a_volume)
        if labels is not None:
            write_labels(tmp_path / f"{name}.seg.nrrd", Volume(labels, a_volume.geometry), a_label_table)

    scan.run(ScanSettings(folder=tmp_path))

    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines["whole"].endswith("liver, spleen")
    assert lines["sparse"].endswith("liver, spleen (2 of 9 slices)")
    assert lines["empty"].rstrip().endswith("other")
    assert "3 cases of 3 patients, 2 with labels" in lines["3"]


def test_a_case_in_another_unit_than_the_others_is_remarked_on(tmp_path, a_volume, capsys):
    grid = a_volume.geometry
    meters = replace(grid, spacing=tuple(s / 1000 for s in grid.spacing))
    for name, geometry in {"a": grid, "b": meters, "c": grid}.items():
        write_image(tmp_path / f"{name}.nrrd", Volume(a_volume.array, geometry))

    scan.run(ScanSettings(folder=tmp_path))

    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: ")]
    assert len(notes) == 1
    assert notes[0].startswith("note: b: Its field of view")
    assert "1000 times smaller" in notes[0]


def test_the_patch_is_told_for_both_kinds_of_computers_where_they_differ(tmp_path, a_volume, capsys):
    large = Geometry((200, 150, 9), (1.0, 1.0, 5.0))
    write_image(tmp_path / "large.nrrd", Volume(np.resize(a_volume.array[0], large.shape), large))

    scan.run(ScanSettings(folder=tmp_path))

    assert "patches of 128 x 128 on a CPU, 160 x 208 on a GPU; cases" in capsys.readouterr().out
    cpu, gpu = Compute(torch.device("cpu"), "float32"), Compute(torch.device("cuda"), "float32")
    for compute, patch in ((cpu, (128, 128)), (gpu, (160, 208))):
        assert derive_grid([large], largest_side=LARGEST_SIDES[compute.machine]).patch == patch


def test_structures_are_called_as_the_dataset_file_says(tmp_path, a_volume, a_label_map, capsys):
    labels = np.where(a_label_map.array == 1, 1, 0).astype(np.int16)
    for part in ("imagesTr", "labelsTr"):
        (tmp_path / part).mkdir()
    write_image(tmp_path / "imagesTr" / "a.nrrd", a_volume)
    plain = Volume(labels, a_volume.geometry).to_sitk()
    sitk.WriteImage(plain, str(tmp_path / "labelsTr" / "a.nii.gz"))
    names = {"labels": {"background": 0, "pancreas": 1, "tumor": 2}}
    (tmp_path / "dataset.json").write_text(json.dumps(names), encoding="utf-8")

    scan.run(ScanSettings(folder=tmp_path))

    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("a "))
    assert line.endswith("pancreas")


def test_structures_that_differ_in_capitals_alone_are_one_and_that_is_said(
    tmp_path, a_volume, a_label_map, capsys, caplog
):
    for case, name in (("a", "Liver"), ("b", "liver")):
        write_image(tmp_path / f"{case}.nrrd", a_volume)
        named = LabelTable((Structure(1, name, (1, 0, 0)), Structure(2, "lesion", (0, 1, 0))))
        write_labels(tmp_path / f"{case}.seg.nrrd", a_label_map, named)
    sentence = "'Liver' and 'liver' differ in capitals alone: they are one structure."

    assert main(["scan", str(tmp_path)]) == 0
    table = collect_table(find_cases(tmp_path).cases)

    assert f"note: {sentence}" in capsys.readouterr().out
    assert table.names == ("Liver", "lesion")
    assert sentence in caplog.text
