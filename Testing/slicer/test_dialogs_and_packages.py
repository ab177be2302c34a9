"""Dialogs never wait and packages are never installed; both are written down."""

from __future__ import annotations

import pytest
import qt
import slicer


def test_messages_are_read_and_closed(a_slicer):
    slicer.util.errorDisplay("It failed.", windowTitle="Oh", detailedText="because")
    slicer.util.infoDisplay("Done.")

    first, second = a_slicer.dialogs.shown
    assert (first.text, first.title, first.details) == ("It failed.", "Oh", "because")
    assert second.text == "Done."


@pytest.mark.parametrize(("button", "answer"), [("Yes", True), ("No", False)])
def test_questions_get_the_answer_of_the_test(a_slicer, button, answer):
    a_slicer.dialogs.answer(getattr(qt.QMessageBox, button), to="Delete")

    assert slicer.util.confirmYesNoDisplay("Delete the run?") is answer


def test_question_without_an_answer_raises(a_slicer):
    with pytest.raises(AssertionError, match="A dialog asked 'Go on"):
        slicer.util.confirmOkCancelDisplay("Go on?")


def test_confirmation_is_false_with_testing(a_slicer):
    a_slicer.pretend_testing_mode()

    assert slicer.util.confirmOkCancelDisplay("Go on?") is False
    slicer.util.errorDisplay("x")
    assert a_slicer.dialogs.shown == []


def test_file_dialogs_return_bare_paths_and_are_cancelled_otherwise(a_slicer):
    a_slicer.dialogs.answer("/data", to="volumes")

    assert qt.QFileDialog.getExistingDirectory(None, "Folder of volumes") == "/data"
    assert qt.QFileDialog.getOpenFileName(None, "Model") == ""
    assert qt.QFileDialog.getOpenFileNames(None, "Models") == ()


def test_own_dialog_is_filled_by_the_test(a_slicer):
    dialog = qt.QDialog()
    line = qt.QLineEdit(dialog)
    qt.QPushButton("OK", dialog)

    def fill(shown):
        shown.findChild(qt.QLineEdit).text = "name"
        return qt.QDialog.Accepted

    a_slicer.dialogs.answer(fill)

    assert dialog.exec_() == qt.QDialog.Accepted
    assert line.text == "name"


def test_folders_are_not_really_opened(a_slicer):
    url = qt.QUrl.fromLocalFile("/runs/a")
    a_slicer.dialogs.answer(False, to="runs")

    assert qt.QDesktopServices.openUrl(url) is False
    assert qt.QDesktopServices.openUrl(url) is True
    assert a_slicer.dialogs.texts() == ["file:///runs/a"] * 2


def test_message_that_closes_itself_does_not_wait(a_slicer):
    slicer.util.delayDisplay("Loading", autoCloseMsec=5000)
    assert a_slicer.dialogs.texts() == ["Loading"]


def test_packages_are_checked_and_asked_for(a_slicer):
    from slicer.packaging import InvalidRequirement, pip_check, pip_ensure

    assert pip_check("numpy>=1")
    assert not pip_check(["numpy>=1", "torch>=2"])
    with pytest.raises(InvalidRequirement):
        pip_check("a bad text")

    pip_ensure(["numpy>=1", "torch>=2.6"], requester="Me")
    assert a_slicer.installations.requested == [
        ("asked by Me", ("torch>=2.6",)),
        ("pip_ensure", ("torch>=2.6",)),
    ]
    assert pip_check("torch>=2.6")


def test_packaging_is_no_attribute_of_slicer_until_somebody_imports_it(a_slicer):
    with pytest.raises(AttributeError, match="packaging"):
        slicer.packaging.pip_check("numpy")

    import slicer.packaging as imported

    assert slicer.packaging is imported
    a_slicer.restart()
    assert not hasattr(slicer, "packaging")


def test_user_may_decline_and_pip_may_fail(a_slicer):
    import slicer.packaging

    a_slicer.installations.user_agrees = False
    with pytest.raises(RuntimeError, match="User declined package installation"):
        slicer.packaging.pip_ensure("torch")

    a_slicer.installations.failure = RuntimeError("no network")
    with pytest.raises(RuntimeError, match="no network"):
        slicer.packaging.pip_install("torch")


def test_nothing_is_installed_with_testing(a_slicer):
    import slicer.packaging

    a_slicer.pretend_testing_mode()
    assert slicer.packaging.pip_ensure("torch") is None
    assert a_slicer.installations.requested == []


def test_sample_data_is_registered_only(a_slicer):
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="ContrastiveSeg",
        sampleName="Heart",
        uris="https://x",
        fileNames="h.nrrd",
        checksums="SHA256:0",
    )
    assert [source.sampleName for source in slicer.modules.sampleDataSources["ContrastiveSeg"]] == ["Heart"]


def test_sample_data_that_are_made_on_the_spot_need_empty_lists_of_files(a_slicer):
    import SampleData

    made = {"category": "Mine", "sampleName": "Drawn", "customDownloader": print}
    with pytest.raises(TypeError, match=r"object of type 'NoneType' has no len\(\)"):
        SampleData.SampleDataLogic.registerCustomSampleDataSource(**made)

    for _ in range(2):  # the same once more is not listed twice
        SampleData.SampleDataLogic.registerCustomSampleDataSource(**made, uris=[], fileNames=[])

    (source,) = slicer.modules.sampleDataSources["Mine"]
    assert (source.sampleName, source.uris, source.customDownloader) == ("Drawn", [], print)


def test_error_in_a_slot_is_kept_for_the_test(a_slicer):
    def fail():
        raise ValueError("in a slot")

    qt.QTimer.singleShot(0, fail)
    a_slicer.wait_until(lambda: a_slicer.errors)

    assert [str(error) for error in a_slicer.errors] == ["in a slot"]
    a_slicer.errors.clear()


def test_python_slicer_is_there_and_has_no_torch(a_slicer):
    import subprocess

    code = "import importlib.util as u; print(u.find_spec('torch'))"
    out = subprocess.run(
        [f"{slicer.app.slicerHome}/bin/PythonSlicer", "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "None"
