"""A step in one file: a form with settings of its job, Start, Cancel, progress and log.

A file of this folder that defines `PanelStep` is a step of the panel; no other file names it.
"""

import os
from abc import ABC, abstractmethod
from pathlib import Path

import ctk
import qt
import slicer
from slicer.i18n import tr as _

from ContrastiveSegLib.errors import ContrastiveSegError
from ContrastiveSegLib.registry import import_entries
from ContrastiveSegLib.settings.job_settings import JOBS

from . import job_words, state_line
from .form_fields import fieldsOfJob
from .job_box import JobBox
from .settings_form import SettingsForm, nested
from .step import Step

FOLDER = Path(__file__).parent


class JobStep(Step, ABC):
    """Makes its widgets below the last step.

    Args:
        title: Of the step.
        job: Name of the job; the names of the widgets begin with it.
        fields: Settings that the user may change; a dotted name leads into a group.
    """

    def __init__(self, panel, title: str, *, job: str, fields) -> None:
        self.job = job
        label, form, box = qt.QLabel(), qt.QWidget(), qt.QWidget()
        super().__init__(panel, label)
        label.wordWrap = True
        label.setObjectName(f"{job}State")
        self.button = _unfolding(panel.parent, title, (label, form, box))
        self.button.setObjectName(f"{job}Step")
        self.form = SettingsForm(form, job, panel.refresh)
        self.form.show(fieldsOfJob(JOBS[job], fields), {})
        self.box = JobBox(box, job, self.onStart, panel.cancel)
        # Only now: a box that is collapsed would not hide what is put into it.
        self.button.collapsed = True

    @abstractmethod
    def settings(self) -> dict:
        """The settings of the job that the panel knows, without those of the form."""

    @abstractmethod
    def whyNot(self) -> str:
        """What is missing before the job can start; "" if nothing is."""

    def onStart(self) -> None:
        """Start the job; its files lie in a temporary folder."""
        try:
            settings = {**nested(self.form.values()), **self.settings()}
        except ContrastiveSegError as error:
            self.fail(str(error))
            return
        folder = Path(slicer.app.temporaryPath) / f"ContrastiveSeg-{self.job}-{os.getpid()}"
        self.panel.startJob(self.job, settings, folder=folder)

    def onEnd(self, job, outcome, extra) -> None:
        super().onEnd(job, outcome, extra)
        if outcome.kind == job_words.DONE:
            self.box.appendLog(job.tail())
            self.box.showLog.setChecked(True)

    def refresh(self) -> None:
        missing = self.whyNot()
        state_line.allow(self.box.start, self.panel.why_no_job(missing))
        if self.panel.jobName == self.job:
            self.show(state_line.WORKING, "")
        else:
            self.show(*((state_line.MISSING, missing) if missing else (state_line.READY, _("press 'Start'"))))


def jobSteps(panel, folder: Path = FOLDER) -> tuple:
    """The step of each file that defines `PanelStep`, in the order of their names."""
    modules = import_entries(folder, "ContrastiveSegPanel", defining="PanelStep")
    return tuple(module.PanelStep(panel) for module in modules)


def _unfolding(parent, title: str, widgets):
    """A collapsible button with widgets, above the empty space at the bottom of the panel."""
    button = ctk.ctkCollapsibleButton()
    button.text = title
    column = qt.QVBoxLayout(button)
    for widget in widgets:
        column.addWidget(widget)
    layout = parent.layout()
    layout.insertWidget(layout.count() - 1, button)
    return button
