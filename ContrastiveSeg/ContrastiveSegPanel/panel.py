"""The whole panel: its steps, one job at a time, one look at the run folder for all."""

import logging
from typing import Any

from slicer.i18n import tr as _

from ContrastiveSegLib.errors import ContrastiveSegError
from ContrastiveSegLib.runs.events_overview import overview
from ContrastiveSegLib.slicer_bridge import nodes, predictions, process, shown_case

from . import job_words, run_state
from .annotate_step import AnnotateStep
from .data_step import DataStep
from .finetune_step import FinetuneStep
from .job_monitor import JobMonitor
from .job_step import jobSteps
from .plot_layout import PlotLayout
from .predict_step import PredictStep
from .pretrain_step import PretrainStep
from .propagation import Propagation
from .refinement import Refinement
from .results_box import ResultsBox
from .setup_step import SetupStep
from .step import Step
from .user_settings import remember

LAST_RUN = "LastRunFolder"


class Panel:
    """Brings the steps together.

    Args:
        parent: Widget that owns the timer.
        ui: The widgets of the .ui file by name.
        logic: The module's logic.
    """

    def __init__(self, parent, ui, logic) -> None:
        self.parent, self.ui, self.logic = parent, ui, logic
        self.monitor = JobMonitor(parent, self.onEvents, self.onEnd)
        self.state, self.plots = run_state.look(None), PlotLayout()
        self.jobName, self.extra = "", dict[str, Any]()
        self.steps: tuple[Step, ...] = ()
        self.setup = SetupStep(self)
        self.data = DataStep(self)
        self.pretrain = PretrainStep(self)
        self.annotate = AnnotateStep(self)
        self.propagation = Propagation(self)
        self.finetune = FinetuneStep(self)
        self.predict = PredictStep(self)
        self.refinement = Refinement(self)
        self.results = ResultsBox(self)
        self.jobSteps = jobSteps(self)
        self.steps = (
            self.setup,
            self.data,
            self.pretrain,
            self.annotate,
            self.propagation,
            self.finetune,
            self.predict,
            self.refinement,
            self.results,
            *self.jobSteps,
        )

        boxes = [step.box for step in self.steps if step.box is not None]
        others = (ui.checkButton, ui.annotateButton, ui.saveAnnotationButton, ui.predictAllButton)
        for button in (*(box.start for box in boxes), *others, ui.importRunButton):
            # Where buttons take no focus, a path that was typed before is complete only now.
            button.connect("pressed()", self.settle)

        # Only now: a box that is collapsed in the .ui file would not hide what the steps put into it.
        for box in (ui.setupLogBox, ui.pretrainSettings, ui.finetuneSettings, ui.propagateBox, ui.refineBox):
            box.collapsed = True

    @property
    def parameters(self):
        """The parameter node; asked for anew each time, because scenes come and go."""
        return self.logic.getParameterNode()

    @property
    def run(self):
        """The chosen run folder, or None."""
        return run_state.runFolder(self.parameters.runFolder)

    def fill(self) -> None:
        """Show what the parameter node remembers; after start, scene load and scene close."""
        for step in self.steps:
            step.fill()
        self.reopen()

    def settle(self) -> None:
        """Accept paths that were typed without Return."""
        for step in self.steps:
            for field in step.paths:
                field.settle()

    def setRun(self, path: str) -> None:
        """Another run folder: its jobs, curves and results take the place of those of the last."""
        if path == self.parameters.runFolder:
            return
        self.parameters.runFolder = path
        self.reopen()

    def reopen(self) -> None:
        """Show what is in the run folder, and follow the job that still works there."""
        kept, extra = self.monitor.job, self.extra
        if kept is None or kept.run is not None:  # a check, an export or an import has no run
            self.monitor.letGo()
            self.jobName, self.extra = "", {}
        self.refresh()
        events, position = _eventsOf(self.run) if self.run is not None else ([], 0)
        for step in self.steps:
            step.forget()
            step.replay(events)
        self.refresh()
        if self.run is None:
            return
        remember(LAST_RUN, str(self.run.path))
        self.data.keepWithRun()
        isKept = kept is not None and kept.run is not None and kept.run.path == self.run.path
        job = kept if isKept else process.find(self.run.panel, run=self.run)
        if job is None or self.monitor.isBusy:
            self._explainDeath()
            return
        mine = [e for e in events if e.get("job") == job.name and e.get("time", 0) >= job.started - 1]
        job.position = position  # earlier events have been shown
        self.follow(job, seen=mine, **(extra if isKept else {}))

    def working(self) -> tuple:
        """Run folder and data folder of the job that runs here; empty texts if none does."""
        job = self.monitor.job
        if job is None or job.run is None:
            return "", ""
        return str(job.run.path), self.parameters.dataFolder

    def startJob(self, name: str, settings, *, run=None, folder=None, engine=None, **extra) -> bool:
        """Start a job and follow it; False when that was not possible, and the user knows why.

        Args:
            extra: What the step wants to know again at the end.
        """
        self._stopPlanning()
        run = run or (None if folder else self.run)
        try:
            job = process.start(
                name, settings, engine or self.logic.engine(), run=run, folder=folder or run.panel
            )
        except ContrastiveSegError as error:
            self.explain(name, str(error))
            return False
        self.follow(job, **extra)
        return True

    def follow(self, job, seen=(), **extra) -> None:
        """Show a running job in its step.

        Args:
            seen: Events of a job that was found running.
        """
        self.jobName, self.extra = job.name, extra
        step = self.stepOf(job.name)
        step.onBegin(job, seen)
        self.monitor.follow(job, seen)
        self.refresh()

    def show(self, volume, *, segmentation=None) -> None:
        """Show a case, and of all others nothing that this module made.

        Args:
            segmentation: The only one of the case that is to be seen; None: what was seen of it last.
        """
        case = nodes.case_of(volume)
        shown_case.show_only(case, volume, segmentation=segmentation)
        for step in self.steps:
            step.onShown(case, volume)

    def showResult(self, volume, segmentation) -> None:
        """Show what a job made, as a whole, in slices, and in 3D unless that would take long."""
        self.plots.giveWay()
        self.show(volume, segmentation=segmentation)
        shown_case.bring_into_view(volume)
        predictions.show_in_3d(segmentation, if_quick=True)

    def cancel(self) -> None:
        """The user pressed Cancel."""
        self.monitor.cancel()
        self.stepOf(self.jobName).showMessage(_("Cancelling: the job saves what it has ..."))

    def onEvents(self, events) -> None:
        """New events of the job."""
        self.stepOf(self.jobName).onEvents(events)

    def onEnd(self, job, outcome) -> None:
        """The job ended, one way or another."""
        extra, self.jobName, self.extra = self.extra, "", {}
        self.refresh()
        self.stepOf(job.name).onEnd(job, outcome, extra)
        self.refresh()

    def stepOf(self, jobName: str):
        """The step that shows a kind of job."""
        return {
            "check": self.setup,
            "pretrain": self.pretrain,
            "suggest": self.annotate,
            "propagate": self.propagation,
            "finetune": self.finetune,
            "refine": self.refinement,
            "export": self.results,
            "import": self.results,
            **{step.job: step for step in self.jobSteps},
        }.get(jobName, self.predict)

    def refresh(self) -> None:
        """Look at the run folder once, and let every step say what is done and what is missing."""
        self.state = run_state.look(self.run)
        for step in self.steps:
            step.refresh()

    def why_not(self, *reasons: str) -> str:
        """The first reason against starting a job, "" if there is none."""
        busy = _("Another job is running; wait for it, or cancel it.") if self.monitor.isBusy else ""
        return next((reason for reason in (busy, self.state.damaged, *reasons) if reason), "")

    def why_no_job(self, *reasons: str) -> str:
        """The first reason against a job that computes."""
        return self.why_not(self.setup.whyNoJobs(), *reasons)

    def explain(self, jobName: str, text: str) -> None:
        """Show the user what went wrong, in the step and in Slicer's log."""
        logging.warning("ContrastiveSeg %s: %s", jobName, text)
        self.stepOf(jobName).fail(text)

    def close(self) -> None:
        """Stop the timers; a running job goes on and is found again."""
        self._stopPlanning()
        self.monitor.letGo()
        self.data.reader.close()

    def _stopPlanning(self) -> None:
        for step in (self.pretrain, self.finetune):
            step.planner.stop()

    def _explainDeath(self) -> None:
        """A job that died while nobody looked left its state file behind."""
        dead = process.last(self.run.panel, run=self.run)
        if dead is None or self.monitor.isBusy:
            return
        outcome = job_words.outcomeOf(dead, dead.new_events())
        dead.close()
        if outcome.kind != job_words.DONE:
            logging.warning("ContrastiveSeg %s: %s", dead.name, outcome.text)
            self.stepOf(dead.name).failBefore(outcome.text)


def _eventsOf(run):
    """The events of a run so far and the position after them; none while the folder cannot be read."""
    try:
        return overview(run.events)
    except OSError:
        return [], 0
