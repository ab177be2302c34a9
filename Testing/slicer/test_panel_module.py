"""The module as Slicer meets it: metadata, self test, installation, sample data, headless scripts, Reload."""

from __future__ import annotations

import csv
import runpy
import subprocess
import sys

import pytest
import slicer

from Testing.slicer.panel_fixtures import MODULE

SCRIPTS = MODULE.parent / "Resources" / "Scripts"


def test_the_module_says_what_it_is(a_slicer):
    module = a_slicer.load_module(MODULE)

    assert (module.title, module.categories) == ("ContrastiveSeg", ["Segmentation"])
    assert "not a medical device" in module.helpText
    assert "SuperCL" in module.acknowledgementText


def test_opening_the_panel_imports_only_what_slicer_ships(a_slicer):
    a_slicer.open_panel(MODULE)

    assert {"torch", "monai", "skimage", "tyro", "matplotlib"} & set(sys.modules) == set()


def test_the_self_test_passes_without_torch(a_slicer):
    a_slicer.load_module(MODULE)

    slicer.selfTests["ContrastiveSeg"]()

    assert "torch" not in sys.modules


def test_installing_asks_for_torch_first_through_its_extension(a_quick_panel, monkeypatch):
    asked = []

    class PyTorchUtilsLogic:
        def installTorch(self, askConfirmation=False, torchVersionRequirement=None):
            asked.append((askConfirmation, torchVersionRequirement, "torch" in sys.modules))
            import torch

            return torch

    panel, present = a_quick_panel, a_quick_panel.slicer.installations.present
    present["torch"] = present["monai"] = ""
    panel.panel.fill()
    assert panel.state("setup") == "missing"
    assert "Not installed yet: PyTorch" in panel.ui.setupFound.text
    assert not panel.ui.installButton.enabled
    assert "Install the extension 'PyTorch'" in panel.ui.setupState.text
    assert "Install the extension 'PyTorch'" in panel.ui.installButton.toolTip

    monkeypatch.setattr(slicer.modules, "pytorchutils", object(), raising=False)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", type("M", (), {"PyTorchUtilsLogic": PyTorchUtilsLogic}))
    panel.panel.fill()
    panel.ui.installButton.click()

    assert asked == [(True, ">=2.6", True)]  # the name is taken, so that the real one cannot be imported
    assert "torch" not in sys.modules
    assert any("monai" in str(request) for request in panel.slicer.installations.requested)


def test_without_packages_volumes_can_be_annotated_but_nothing_is_computed(a_quick_panel, phantoms, tmp_path):
    panel = a_quick_panel
    for name in ("torch", "tyro", "monai"):
        panel.slicer.installations.present[name] = ""
    panel.panel.fill()
    panel.choose(phantoms, tmp_path / "run")
    panel.type(panel.ui.structures, "liver")

    reason = "Install what is missing in step 0 first, or choose an external Python."
    for name in ("pretrain", "suggest", "finetune", "predict"):
        assert panel.child(f"{name}Start").toolTip == reason, name
        assert not panel.child(f"{name}Start").enabled, name
    assert not panel.ui.checkButton.enabled
    assert panel.ui.annotateButton.enabled
    # What is missing is listed once; the state says what to do.
    assert "monai" in panel.ui.setupFound.text
    assert "monai" not in panel.ui.setupState.text


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("ModuleNotFoundError: No module named 'tyro'", "press 'Install what is missing'"),
        (
            "The Python package 'monai' is not installed. Run: python -m pip install monai",
            "press 'Install what",
        ),
        ("OSError: libtorch_cuda.so: cannot open shared object file", "half-installed PyTorch"),
        ("PermissionError: /tmp", "see the log below."),
    ],
)
def test_the_check_gives_the_advice_that_fits(a_quick_panel, said, advice):
    from ContrastiveSegPanel import job_words

    panel = a_quick_panel
    job = type("Job", (), {"tail": lambda self: said})()

    panel.panel.setup.onEnd(job, job_words.Outcome(job_words.FAILED, said), {})

    assert advice in panel.ui.setupState.text
    assert ("half-installed" in panel.ui.setupState.text) == ("libtorch" in said)


def test_a_failed_installation_shows_pips_words_and_the_next_step(a_quick_panel):
    panel = a_quick_panel
    panel.slicer.installations.present["torch"] = "2.8.0"
    panel.slicer.installations.present["monai"] = ""
    panel.slicer.installations.failure = RuntimeError("No matching distribution found for monai")
    panel.panel.fill()

    panel.ui.installButton.click()

    assert panel.state("setup") == "failed"
    assert "No matching distribution" in panel.ui.setupState.text
    assert "choose an external Python" in panel.ui.setupState.text
    assert "No matching distribution" in panel.ui.setupLog.plainText


def test_an_external_python_that_is_none_is_a_sentence(a_slicer, tmp_path, monkeypatch):
    monkeypatch.delenv("CONTRASTIVESEG_ENGINE_PYTHON", raising=False)
    widget = a_slicer.open_panel(MODULE)
    text = tmp_path / "python"
    text.write_text("no program", encoding="utf-8")

    widget.ui.externalPython.currentPath = str(text)
    widget.ui.checkButton.click()

    assert "is not a Python program that can be started" in widget.ui.setupState.text


@pytest.mark.parametrize("isOpen", [True, False])
def test_sample_data_are_drawn_shown_and_fill_in_the_first_step(a_slicer, tmp_path, monkeypatch, isOpen):
    widget = a_slicer.open_panel(MODULE) if isOpen else a_slicer.load_module(MODULE) and None
    slicer.app.userSettings().setValue("ContrastiveSeg/RunsFolder", str(tmp_path))
    sys.modules["ContrastiveSeg"].findLibrary()
    from ContrastiveSegPanel import sample_data

    monkeypatch.setattr(sample_data, "UNLABELED", 1)
    a_slicer.finish_startup()
    (source,) = slicer.modules.sampleDataSources["ContrastiveSeg"]
    assert source.sampleName == "ContrastiveSegPhantoms"

    volumes = source.customDownloader(source)

    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert composite.GetBackgroundVolumeID() == volumes[0].GetID()
    assert len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) == 2
    if not isOpen:
        slicer.util.selectModule("ContrastiveSeg")
        widget = slicer.util.getModuleWidget("ContrastiveSeg")
    a_slicer.wait_until(lambda: not widget.panel.data.reader.isReading)
    assert widget.ui.dataFolder.currentPath == str(tmp_path / "ContrastiveSegPhantoms")
    run = widget.ui.runFolder.currentPath
    assert run.endswith("_ContrastiveSegPhantoms")
    assert widget.ui.dataState.property("state") == "done"
    source.customDownloader(source)
    assert widget.ui.runFolder.currentPath == run  # the same data again go on with the same run


@pytest.fixture
def loaded_modules(monkeypatch):
    """The modules that are loaded now come back after the test: other tests hold some of them."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("ContrastiveSegPanel", "ContrastiveSegLib"):
            monkeypatch.setitem(sys.modules, name, module)


def test_reload_reads_all_files_anew(loaded_modules, a_quick_panel):
    before = sys.modules["ContrastiveSegPanel.panel"]

    a_quick_panel.widget.onReload()

    renewed = slicer.util.getModuleWidget("ContrastiveSeg")
    assert renewed is not a_quick_panel.widget
    assert sys.modules["ContrastiveSegPanel.panel"] is not before


def test_the_script_for_slicer_without_a_window_segments_a_folder(
    a_quick_panel, phantoms, tmp_path, monkeypatch, capsys, a_trained_run
):
    panel = a_quick_panel
    panel.choose(phantoms, a_trained_run)
    script, images, output = SCRIPTS / "segment_folder_in_slicer.py", phantoms / "test", tmp_path / "out"
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path / "run"), str(images), str(output)])
    ended = []
    monkeypatch.setattr(slicer.util, "exit", ended.append)

    runpy.run_path(str(script), run_name="__main__")

    assert ended == [0], capsys.readouterr().out
    assert (output / "phantom_003.seg.nrrd").is_file()
    rows = _rows(output / "volumes_ml.csv")
    assert [(row["case"], row["structure"]) for row in rows[:2]] == [
        ("phantom_003", "bright"),
        ("phantom_003", "middle"),
    ]
    assert float(rows[0]["volume_ml"]) > 0


def test_the_scripts_for_pythonslicer_find_the_library_and_explain_themselves(tmp_path):
    for name in ("segment_folder.py", "learn_and_segment.py"):
        done = subprocess.run(
            [sys.executable, str(SCRIPTS / name), "--help"],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert "PythonSlicer" in done.stdout, done.stderr


def _rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("words", [[], ["only one"]])
def test_a_script_without_its_words_explains_itself(words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["script", *words])
    monkeypatch.setattr(slicer.util, "exit", lambda code: print("code", code))

    runpy.run_path(str(SCRIPTS / "segment_folder_in_slicer.py"), run_name="__main__")

    assert "code 2" in capsys.readouterr().out
