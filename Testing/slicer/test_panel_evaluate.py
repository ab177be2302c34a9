"""A step in one file: found in the folder, made from settings, started, and its table shown."""

from __future__ import annotations

import shutil
import sys


def test_predictions_are_compared_with_labels_and_the_table_is_shown(a_real_panel, phantoms, a_learned_run):
    panel = a_real_panel
    for label in phantoms.rglob("labels*/*.seg.nrrd"):
        shutil.copy(label, a_learned_run / "predictions" / label.name)
    panel.choose(phantoms, a_learned_run)
    assert panel.state("evaluate") == "missing"
    assert "Choose the folder with true labels" in panel.child("evaluateStart").toolTip

    panel.child("evaluate_labels").currentPath = str(phantoms)
    panel.job("evaluate")

    table = panel.child("evaluateLog").plainText
    assert "1.000" in table.splitlines()[1], table
    assert "HD95 mm" in table
    assert panel.child("evaluateShowLog").checked
    assert panel.state("evaluate") == "ready"


def test_without_predictions_the_step_says_what_comes_first(a_quick_panel, phantoms, a_trained_run):
    a_quick_panel.choose(phantoms, a_trained_run)

    assert a_quick_panel.child("evaluateStart").toolTip == "Segment cases in step 5 first."


STEP = '''"""A step that nobody knows yet."""
from ContrastiveSegPanel.job_step import JobStep


class PanelStep(JobStep):
    def __init__(self, panel):
        super().__init__(panel, "7. Look", job="scan", fields=("cases.only",))

    def settings(self):
        return {"folder": self.panel.parameters.dataFolder}

    def whyNot(self):
        return ""
'''


def test_one_new_file_is_a_new_step(a_quick_panel, tmp_path, monkeypatch):
    import ContrastiveSegPanel
    from ContrastiveSegPanel.job_step import jobSteps

    (tmp_path / "brand_new_step.py").write_text(STEP, encoding="utf-8")
    monkeypatch.setattr(ContrastiveSegPanel, "__path__", [*ContrastiveSegPanel.__path__, str(tmp_path)])

    (step,) = jobSteps(a_quick_panel.panel, tmp_path)
    del sys.modules["ContrastiveSegPanel.brand_new_step"]

    assert step.job == "scan"
    assert a_quick_panel.child("scanStep").text == "7. Look"
    assert a_quick_panel.child("scan_cases_only").toolTip.startswith("Only cases whose name")
    assert a_quick_panel.child("scanStart").text == "Start"
