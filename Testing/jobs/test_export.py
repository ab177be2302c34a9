"""`export` writes the form that was asked for, and only reads the run."""

from __future__ import annotations

import zipfile

import pytest

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.runs.run_folder import RunFolder


def test_a_run_is_one_zip_file(tmp_path, capsys):
    run = RunFolder(tmp_path / "heart")
    run.create()
    run.settings.write_text("{}", encoding="utf-8")

    assert main(["export", str(run.path), "--output", str(tmp_path)]) == 0
    assert main(["export", str(run.path), "--output", str(tmp_path / "heart.zip")]) == 1

    assert "heart/settings.json" in zipfile.ZipFile(tmp_path / "heart.zip").namelist()
    assert "exists already" in capsys.readouterr().err


def test_a_folder_that_is_no_run_is_refused_and_stays_as_it_is(tmp_path, capsys):
    (tmp_path / "scans").mkdir()

    assert main(["export", str(tmp_path / "scans"), "--output", str(tmp_path / "a.zip")]) == 1

    assert "is no run folder" in capsys.readouterr().err
    assert list((tmp_path / "scans").iterdir()) == []


@pytest.mark.parametrize("form", ["nnunet-raw", "dicom-seg", "monai-bundle"])
def test_an_export_into_a_file_is_refused(tmp_path, capsys, form):
    run = RunFolder(tmp_path / "heart")
    run.create()
    run.settings.write_text("{}", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")

    assert main(["export", str(run.path), "--to", form, "--output", str(tmp_path / "notes.txt")]) == 1

    assert "notes.txt is a file, not a folder. Choose a folder." in capsys.readouterr().err
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"
