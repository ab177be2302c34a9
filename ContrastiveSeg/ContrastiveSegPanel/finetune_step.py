"""Step 4, fine-tune: learn the structures from the annotations, with curves of loss and validation Dice."""

import contextlib

from slicer.i18n import tr as _

from ContrastiveSegLib.errors import ContrastiveSegError
from ContrastiveSegLib.runs.metrics import best_dice
from ContrastiveSegLib.runs.run_folder import ModelFolder
from ContrastiveSegLib.settings.job_settings import FinetuneSettings
from ContrastiveSegLib.settings.schema import to_dict

from . import job_words, state_line
from .job_box import JobBox
from .method_menu import MethodMenu
from .panel_words import inPanel
from .planner import Planner
from .step import Step
from .unannotated_checkbox import UnannotatedCheckBox

# What most users change, if anything.
FIRST = ("steps", "lr", "grid.patch", "base_channels", "network")
MOST_LISTED = 5  # structures; of more, only the mean is shown
ANNOTATIONS, DATA = "annotations", "data"
OWN, SCRATCH = "own", "none"


class FinetuneStep(Step):
    """Strategy, form, and the job."""

    def __init__(self, panel) -> None:
        super().__init__(panel, panel.ui.finetuneState)
        ui = self.ui
        self.menu = MethodMenu(
            "finetuning",
            FinetuneSettings,
            "strategy",
            first=FIRST,
            elsewhere=("start", "plan"),
            widgets=(ui.strategy, ui.strategyCaption, ui.finetuneForm, ui.finetuneAdvanced),
            onChange=self.onSettings,
        )
        ui.labelsFrom.addItem(_("Annotations of this run (step 3)"), ANNOTATIONS)
        ui.labelsFrom.addItem(_("Labels in the data folder"), DATA)
        ui.startFrom.addItem(_("Pre-training of step 2"), OWN)
        ui.startFrom.addItem(_("Nothing (from scratch)"), SCRATCH)
        self.unannotatedBox = UnannotatedCheckBox(panel, self.menu, self.onSettings)
        self.planner = Planner(panel, "finetune", self.refresh)
        ui.finetuneStep.connect("contentsCollapsed(bool)", lambda _isOn: self.refresh())
        self._shown = self.menu.entry.name  # the strategy, so that a change by the user is noticed
        self.box = JobBox(
            ui.finetuneJob,
            "finetune",
            self.onStart,
            panel.cancel,
            curves=_("Fine-tuning: loss and Dice"),
            plots=panel.plots,
        )
        ui.labelsFrom.connect("currentIndexChanged(int)", lambda _index: self.onSettings())
        ui.startFrom.connect("currentIndexChanged(int)", lambda _index: self.onSettings())

    def fill(self) -> None:
        parameters = self.panel.parameters
        self.ui.labelsFrom.currentIndex = 1 if parameters.labelsFrom == DATA else 0
        self.menu.choose(parameters.strategy or self._automatic(), parameters.finetuneOptions)
        self._shown = self.menu.entry.name

    def onSettings(self) -> None:
        """Remember what the user changed."""
        parameters = self.panel.parameters
        if self.menu.entry.name != self._shown:
            self._shown = self.menu.entry.name
            # Nothing is remembered of what the panel would choose: other data may ask for another strategy.
            parameters.strategy = "" if self._shown == self._automatic() else self._shown
        parameters.labelsFrom = self.ui.labelsFrom.currentData
        # Half-typed text is no setting yet; Start says what is wrong with it.
        with contextlib.suppress(ContrastiveSegError):
            parameters.finetuneOptions = self.menu.options()
        self.refresh()

    def _isFromData(self) -> bool:
        return self.ui.labelsFrom.currentData == DATA

    def _automatic(self) -> str:
        return self.unannotatedBox.automatic(self._isFromData())

    def _showStrategy(self, isFree: bool) -> None:
        """As long as the user has chosen no strategy, it follows the data."""
        parameters = self.panel.parameters
        if not parameters.strategy and self.menu.entry.name != self._automatic():
            self.menu.choose(self._automatic(), parameters.finetuneOptions)
            self._shown = self.menu.entry.name
        self.unannotatedBox.refresh(self._isFromData(), isFree)

    def onStart(self) -> None:
        """Start or resume."""
        try:
            settings = self._unfinished() or self._settings()
        except ContrastiveSegError as error:
            self.fail(str(error))
            return
        self.panel.startJob("finetune", settings)

    def _settings(self) -> dict:
        panel = self.panel
        fromData = self._isFromData()
        labeled = panel.parameters.dataFolder if fromData else str(panel.run.annotations)
        known = {"run": str(panel.run.path), "labeled": labeled, **self.unannotatedBox.settings(fromData)}
        if self.ui.startFrom.currentData == SCRATCH:
            known["start"] = "none"
        elif panel.pretrain.otherRun():
            known["start"] = panel.pretrain.otherRun()
        return self.menu.settings(**known)

    def _unfinished(self):
        """What the last, interrupted round was asked; None if there is none."""
        if not self.panel.state.canResumeFinetuning:
            return None
        number = self.panel.state.interruptedRound
        return to_dict(self.panel.run.read_settings("finetune", FinetuneSettings, round_number=number))

    def replay(self, events) -> None:
        self.box.forgetCurves()
        mine = _lastRound([e for e in events if e.get("job") == "finetune"])
        self.box.drawCurves(mine, isLive=False)

    def onBegin(self, job, seen) -> None:
        if not seen and not self.panel.state.canResumeFinetuning:
            self.box.forgetCurves()
        super().onBegin(job, seen)

    def refresh(self) -> None:
        panel = self.panel
        missing = self._missing()
        self.box.start.text = _("Resume") if panel.state.canResumeFinetuning else _("Start")
        state_line.allow(self.box.start, panel.why_no_job(missing), _("Learn to segment"))
        isMine = panel.jobName == "finetune"
        self._showStrategy(not isMine)
        self.menu.setEnabled(not isMine)
        self.ui.finetuneEstimate.text = "" if isMine or missing else self._estimate()
        if isMine:
            self.show(state_line.WORKING, _("learning from annotations"))
        elif panel.state.canResumeFinetuning:
            self.show(state_line.READY, _("interrupted; press Resume to go on"))
        elif rounds := panel.state.finishedRounds:
            self.show(state_line.DONE, _("round {n}; ").format(n=rounds[-1]) + self._quality(rounds[-1]))
        elif missing:
            self.show(state_line.MISSING, missing)
        else:
            self.show(state_line.READY, _("press Start"))

    def _estimate(self) -> str:
        """How long it will take; measured only while somebody looks at this step."""
        isSeen = not self.ui.finetuneStep.collapsed and not self.panel.setup.whyNoJobs()
        if not isSeen or self.panel.data.reader.isReading or self.panel.state.canResumeFinetuning:
            return ""
        try:
            plan = self.planner.plan(self._settings())
        except ContrastiveSegError as error:
            return inPanel(str(error))
        if "error" in plan:
            return inPanel(plan["error"])
        return _words(plan) if plan else _("How long it takes is being measured ...")

    def onEnd(self, job, outcome, extra) -> None:
        super().onEnd(job, outcome, extra)
        rounds = self.panel.state.finishedRounds
        if outcome.kind == job_words.DONE and rounds:
            self.showMessage(_("Done: ") + self._quality(rounds[-1]))

    def _quality(self, number: int) -> str:
        """The Dice of a round in held-out patients, if there were any."""
        dice = best_dice(ModelFolder(self.panel.run.finetune(number)).metrics)
        if not dice:
            return _("no patients were held out, so its accuracy is not known")
        mean = sum(dice.values()) / len(dice)
        each = ", ".join(f"{name} {value:.2f}" for name, value in dice.items())
        words = _("mean Dice {mean:.2f} of held-out patients")
        return words.format(mean=mean) + (f" ({each})" if 1 < len(dice) <= MOST_LISTED else "")

    def _missing(self) -> str:
        panel, ui = self.panel, self.ui
        if panel.run is None:
            return _("Choose a run folder in step 1.")
        if ui.labelsFrom.currentData == ANNOTATIONS:
            annotated = panel.state.annotated
            if not annotated.cases and not annotated.scribbles:
                return _("Annotate at least one case in step 3, or learn from the labels in the data folder.")
        elif not panel.data.reader.counts()["labeled"]:
            return _("The data folder has no labels; annotate in step 3.")
        if ui.startFrom.currentData == OWN and not panel.pretrain.isSettled():
            return _("Pre-train in step 2, or start from scratch.")
        return ""


def _words(plan) -> str:
    """Trainings, time, memory and disk space of a plan."""
    text = _("{n} trainings of {steps} steps") if plan["trainings"] > 1 else _("{steps} steps")
    text += _(", about {time}, {memory:.1f} GB of memory")
    text += _(" and {disk} MB of disk space") if plan["disk_mb"] else ""
    return text.format(
        n=plan["trainings"],
        steps=plan["steps"],
        time=job_words.duration(plan["seconds"]),
        memory=plan["memory_mb"] / 1000,
        disk=plan["disk_mb"],
    ) + _(" (measured on this computer)")


def _lastRound(events):
    """The events of the last round. After a crash some steps appear twice: the later ones count."""
    kept, first = [], None
    for event in events:
        step = event.get("step")
        if event.get("kind") == "progress" and first is not None and step <= kept[-1].get("step", 0):
            # A round begins with its first second of steps; a round taken up again, far behind that.
            isNew = step <= 2 * first
            kept = [] if isNew else [e for e in kept if e["step"] < step]
            first = None if isNew else first
        if step is not None:
            first = step if first is None else first
            kept.append(event)
    return kept
