"""The run folder as a thing: export, import, delete."""

from __future__ import annotations

import slicer

from ContrastiveSegLib.slicer_bridge import run_archive


def test_a_run_is_exported_deleted_and_imported(a_quick_panel, phantoms, tmp_path, a_pretrained_run):
    import qt

    panel, dialogs = a_quick_panel, a_quick_panel.slicer.dialogs
    panel.choose(phantoms, a_pretrained_run)
    assert "run: " in panel.ui.runInfo.text
    dialogs.answer(str(tmp_path / "run.zip"), to="Export run")
    dialogs.answer(qt.QMessageBox.Ok, to="This cannot be undone")
    dialogs.answer(str(tmp_path / "run.zip"), to="Import run")
    slicer.app.userSettings().setValue("ContrastiveSeg/RunsFolder", str(tmp_path / "imported"))

    panel.ui.exportRunButton.click()
    panel.wait(lambda: not panel.panel.monitor.isBusy)
    panel.ui.deleteRunButton.click()
    assert not (tmp_path / "run").exists()
    panel.ui.importRunButton.click()
    panel.wait(lambda: not panel.panel.monitor.isBusy)

    assert panel.ui.runFolder.currentPath == str(tmp_path / "imported" / "run")
    assert panel.state("pretrain") == "done"


def test_a_run_is_walked_through_only_after_something_was_made_in_it(
    a_quick_panel, phantoms, a_trained_run, monkeypatch
):
    panel, sizes = a_quick_panel, []
    monkeypatch.setattr(run_archive, "size_of", lambda folder: sizes.append(folder) or len(sizes))
    panel.choose(phantoms, a_trained_run)
    panel.panel.refresh()
    before = len(sizes)

    panel.panel.refresh()
    assert len(sizes) == before
    (a_trained_run / "predictions").mkdir()
    (a_trained_run / "predictions" / "a.seg.nrrd").touch()
    panel.panel.refresh()

    assert len(sizes) == before + 1
    assert panel.ui.runInfo.text.endswith(f"{before + 1} bytes")


def test_each_form_of_export_says_who_reads_it_and_what_it_needs(
    a_quick_panel, phantoms, tmp_path, a_pretrained_run
):
    panel, ui = a_quick_panel, a_quick_panel.ui
    panel.choose(phantoms, a_pretrained_run)

    shown = {}
    for index in range(ui.exportFormat.count):
        ui.exportFormat.currentIndex = index
        shown[ui.exportFormat.currentData] = (ui.exportRunButton.enabled, ui.exportRunButton.toolTip)

    assert shown == {
        "zip": (True, "All of the run, for 'Import run' on another computer"),
        "nnunet-raw": (False, "Nothing is annotated yet."),
        "dicom-seg": (False, "There are no predictions yet."),
        "nnssl": (True, "The pre-trained ResEnc-L, as nnU-Net starts from it"),
        "monai-bundle": (False, "Fine-tune in step 4 first."),
    }


def test_a_run_whose_name_is_taken_is_imported_under_a_free_one_or_elsewhere(
    a_quick_panel, phantoms, tmp_path, a_pretrained_run
):
    import qt

    panel, dialogs = a_quick_panel, a_quick_panel.slicer.dialogs
    slicer.app.userSettings().setValue("ContrastiveSeg/RunsFolder", str(tmp_path))
    panel.choose(phantoms, a_pretrained_run)
    dialogs.answer(str(tmp_path / "run.zip"), to="Export run")
    panel.ui.exportRunButton.click()
    panel.wait(lambda: not panel.panel.monitor.isBusy)

    dialogs.answer(str(tmp_path / "run.zip"), to="Import run")
    dialogs.answer(qt.QMessageBox.Ok, to="Import this one as 'run_2'?")
    panel.ui.importRunButton.click()
    panel.wait(lambda: not panel.panel.monitor.isBusy)
    assert panel.ui.runFolder.currentPath == str(tmp_path / "run_2")

    dialogs.answer(str(tmp_path / "run.zip"), to="Import run")
    dialogs.answer(qt.QMessageBox.Cancel, to="Import this one as 'run_3'?")
    dialogs.answer(str(tmp_path / "elsewhere"), to="Import into the folder")
    panel.ui.importRunButton.click()
    panel.wait(lambda: not panel.panel.monitor.isBusy)
    assert panel.ui.runFolder.currentPath == str(tmp_path / "elsewhere" / "run")
    assert panel.state("pretrain") == "done"


def test_a_file_that_is_no_run_is_not_imported(a_quick_panel, tmp_path):
    panel = a_quick_panel
    (tmp_path / "other.zip").write_bytes(b"none")
    panel.slicer.dialogs.answer(str(tmp_path / "other.zip"), to="Import run")

    panel.ui.importRunButton.click()

    assert "is no exported run" in panel.ui.runInfo.text
