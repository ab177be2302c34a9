"""Step 2, pre-train: learn from all volumes, or take a run that was pre-trained earlier."""

import contextlib
from pathlib import Path

from slicer.i18n import tr as _

from ContrastiveSegLib.errors import ContrastiveSegError
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from ContrastiveSegLib.settings.job_settings import PretrainSettings

from . import presets, state_line
from .job_box import JobBox
from .method_menu import MethodMenu
from .panel_words import inPanel
from .path_field import PathField
from .planner import Planner
from .step import Step

# What most users change, if anything.
FIRST = ("lr", "grid.patch", "base_channels", "network")


class PretrainStep(Step):
    """Method, preset, form, and the job."""

    def __init__(self, panel) -> None:
        super().__init__(panel, panel.ui.pretrainState)
        ui = self.ui
        self.menu = MethodMenu(
            "pretraining",
            PretrainSettings,
            "method",
            first=FIRST,
            elsewhere=("plan",),
            widgets=(ui.pretrainMethod, ui.pretrainCaption, ui.pretrainForm, ui.pretrainAdvanced),
            onChange=self.onSettings,
        )
        self.planner = Planner(panel, "pretrain", self.refresh)
        ui.pretrainStep.connect("contentsCollapsed(bool)", lambda _isOn: self.refresh())
        for name, caption in presets.captions().items():
            ui.pretrainPreset.addItem(caption, name)
        self.box = JobBox(
            ui.pretrainJob,
            "pretrain",
            self.onStart,
            panel.cancel,
            curves=_("Pre-training loss"),
            plots=panel.plots,
        )
        ui.pretrainPreset.connect("currentIndexChanged(int)", lambda _index: self.onSettings())
        self.otherPath = PathField(ui.pretrainedRun, self.onOtherRun)
        self.paths = (self.otherPath,)

    def fill(self) -> None:
        parameters, ui = self.panel.parameters, self.ui
        self.menu.choose(parameters.method, parameters.pretrainOptions)
        names = list(presets.PRESETS)
        wanted = parameters.pretrainPreset
        ui.pretrainPreset.currentIndex = names.index(wanted) if wanted in names else 1
        self.otherPath.show(parameters.pretrainedRun)

    def onSettings(self) -> None:
        """Remember what the user changed, and estimate anew."""
        parameters = self.panel.parameters
        parameters.method = self.menu.entry.name
        parameters.pretrainPreset = self.ui.pretrainPreset.currentData
        # Half-typed text is no setting yet; Start says what is wrong with it.
        with contextlib.suppress(ContrastiveSegError):
            parameters.pretrainOptions = self.menu.options()
        self.refresh()

    def onOtherRun(self, path: str) -> None:
        """A run that was pre-trained earlier, instead of pre-training here."""
        self.panel.parameters.pretrainedRun = path
        self.clearFailure()
        self.panel.refresh()

    def otherRun(self) -> str:
        """The other run's folder; "" while none is chosen."""
        return self.panel.parameters.pretrainedRun

    def isSettled(self) -> bool:
        """Whether there is a pre-training to start from."""
        other = self.otherRun()
        return _isPretrained(other) if other else self.panel.state.isPretrained

    def onStart(self) -> None:
        """Start or resume."""
        try:
            settings = self._settings()
        except ContrastiveSegError as error:
            self.fail(str(error))
            return
        self.panel.startJob("pretrain", settings)

    def _settings(self) -> dict:
        asked = self.panel.state.asked.get("pretrain")
        if asked and self.panel.state.canResumePretraining:
            # To resume means: the same again, whatever the form shows now.
            return {**asked, "run": str(self.panel.run.path)}
        return {**self._fresh(), "run": str(self.panel.run.path)}

    def _fresh(self) -> dict:
        """What the form and the preset say, without a run folder."""
        preset = presets.PRESETS[self.ui.pretrainPreset.currentData]
        mine = self.menu.settings(images=self.panel.parameters.dataFolder)
        return {**({} if {"steps", "epochs"} & set(mine) else preset), **mine}

    def replay(self, events) -> None:
        self.box.forgetCurves()
        self.box.drawCurves([e for e in events if e.get("job") == "pretrain"], isLive=False)

    def onBegin(self, job, seen) -> None:
        if not seen and not self.panel.state.canResumePretraining:
            self.box.forgetCurves()
        super().onBegin(job, seen)

    def onEvents(self, events) -> None:
        super().onEvents(events)
        for event in events:
            asked = self.panel.state.asked.get("pretrain")
            if asked and event.get("kind") == "progress" and event.get("images_per_s"):
                rate, memory = event["images_per_s"], event.get("memory_mb")
                self.planner.learn(asked, images_per_s=rate, memory_mb=memory)

    def refresh(self) -> None:
        panel, ui, state = self.panel, self.ui, self.panel.state
        isMine = panel.jobName == "pretrain"
        missing = "" if panel.parameters.dataFolder else _("Choose a data folder in step 1.")
        missing = missing or ("" if panel.run else _("Choose a run folder in step 1."))
        done = (
            _("This run is pre-trained; choose a new run folder for another.") if state.isPretrained else ""
        )
        self.box.start.text = _("Resume") if state.canResumePretraining else _("Start")
        state_line.allow(
            self.box.start, panel.why_no_job(missing, done), _("Learn from all volumes of step 1")
        )
        self.menu.setEnabled(not isMine)
        ui.pretrainEstimate.text = self._estimate()
        self._showState(isMine, missing)

    def _showState(self, isMine: bool, missing: str) -> None:
        state, other = self.panel.state, self.otherRun()
        if isMine:
            self.show(state_line.WORKING, _("learning from unlabeled volumes"))
        elif other and not _isPretrained(other):
            self.show(state_line.MISSING, _("{path} has no finished pre-training").format(path=other))
        elif other:
            self.show(state_line.DONE, _("taken from {name}").format(name=Path(other).name))
        elif state.isPretrained:
            method = state.asked.get("pretrain", {}).get("method", "")
            self.show(state_line.DONE, _("pre-trained with {method}").format(method=method))
        elif missing:
            self.show(state_line.MISSING, missing)
        elif state.canResumePretraining:
            self.show(state_line.READY, _("interrupted; press Resume to go on"))
        else:
            self.show(state_line.READY, _("press Start, or choose a run that was pre-trained earlier"))

    def _estimate(self) -> str:
        reader, ui = self.panel.data.reader, self.ui
        if reader.isReading or not reader.slices or self.panel.state.isPretrained:
            return ""
        try:
            settings = self._fresh()
            # Nobody looks: nothing is measured.
            isAsked = not ui.pretrainStep.collapsed and not self.panel.setup.whyNoJobs()
            plan = self.planner.plan(settings) if isAsked else {}
            steps = presets.stepsOf(settings, plan.get("slices", reader.slices))
        except ContrastiveSegError as error:
            return inPanel(str(error))
        if "error" in plan:
            return inPanel(plan["error"])
        if plan:
            return presets.words(plan, steps)
        waiting = _("; how long they take is being measured ...") if isAsked else ""
        return _("{steps} steps").format(steps=steps) + waiting


def _isPretrained(path: str) -> bool:
    return ModelFolder(RunFolder(Path(path)).pretrain).is_finished
