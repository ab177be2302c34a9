"""Step 0, set-up: what is installed, which Python computes, and one real training step as a test."""

import json
import os
import sys
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from ContrastiveSegLib.errors import ContrastiveSegError
from ContrastiveSegLib.slicer_bridge import install

from . import job_words, state_line
from .panel_words import inPanel
from .path_field import PathField
from .step import Step
from .user_settings import recall, remember

PASSED = "CheckPassedWith"
FACTS = "check.json"


class SetupStep(Step):
    """Install, choose an external Python, check."""

    def __init__(self, panel) -> None:
        super().__init__(panel, panel.ui.setupState)
        ui = self.ui
        ui.installButton.connect("clicked()", self.onInstall)
        ui.checkButton.connect("clicked()", self.onCheck)
        ui.checkCancel.connect("clicked()", panel.cancel)
        self.python = PathField(ui.externalPython, self.onPython)
        self.paths = (self.python,)
        self._found: install.Found | None = None  # looked up once: reading what is installed takes a while

    def fill(self) -> None:
        self.python.show(self.panel.logic.externalPython())
        self._found = None

    def refresh(self) -> None:
        ui, external = self.ui, self.panel.logic.externalPython()
        if external:
            ui.setupFound.text = state_line.breakable(_("Jobs run in {python}.").format(python=external))
            state_line.allow(ui.installButton, _("An external Python is chosen; install packages there."))
        else:
            found = self._look()
            ui.setupFound.text = f"Python {sys.version.split()[0]} (Slicer). {found.words}"
            reason = _("Everything is installed.") if found.is_complete else _whyNoInstall(found)
            state_line.allow(ui.installButton, reason, _("Asks first, then installs what is missing"))
        isChecking = self.panel.jobName == "check"
        state_line.allow(ui.checkButton, self.panel.why_no_job(), _("Takes one real training step"))
        state_line.allow(ui.checkCancel, "" if isChecking else _("No check is running."))
        self._showState(external, isChecking)

    def whyNoJobs(self) -> str:
        """Why nothing can be computed yet; "" if nothing is known against it."""
        isReady = self.panel.logic.externalPython() or self._look().is_complete
        return "" if isReady else _("Install what is missing in step 0 first, or choose an external Python.")

    def _look(self):
        if self._found is None:
            self._found = install.look(Path(self.panel.logic.resource("requirements.txt")))
        return self._found

    def _showState(self, external: str, isChecking: bool) -> None:
        passed = recall(PASSED)
        if isChecking:
            self.show(state_line.WORKING, _("taking one real training step ..."))
        elif not external and not self._look().is_complete:
            next_ = _whyNoInstall(self._look()) or _("Press 'Install what is missing'.")
            self.show(state_line.MISSING, _("packages for the computations. {next}").format(next=next_))
        elif passed.startswith(f"{external}\n"):
            self.show(state_line.DONE, passed.partition("\n")[2])
        else:
            self.show(state_line.READY, _("press 'Check this computer' once"))

    def onPython(self, path: str) -> None:
        """Another Python was chosen."""
        self.clearFailure()
        self.panel.logic.setExternalPython(path)
        self.refresh()

    def onInstall(self) -> None:
        """Install what is missing; Slicer asks before each part."""
        self.clearFailure()
        self._found = None  # whatever comes of it: look again
        try:
            install.install(self._look())
        except (ContrastiveSegError, RuntimeError, ImportError) as error:
            # pip's own words, and what the user can do about them.
            self._log(str(error))
            self.fail(_("{error} Next: see the log below, or choose an external Python.").format(error=error))
            return
        self.panel.refresh()

    def onCheck(self) -> None:
        """Start the smoke test in the chosen Python."""
        folder = Path(slicer.app.temporaryPath) / f"ContrastiveSeg-check-{os.getpid()}"
        self.panel.startJob("check", {"output": str(folder / FACTS)}, folder=folder)

    def onBegin(self, job, seen) -> None:
        super().onBegin(job, seen)
        self.ui.setupLog.clear()

    def onEnd(self, job, outcome, _extra) -> None:
        self._log(job.tail())
        self._found = None
        if outcome.kind != job_words.DONE:
            self.fail(_nextStep(outcome.text))
            return
        python = self.panel.logic.externalPython()
        remember(PASSED, f"{python}\n{_summary(job.folder / FACTS)}")

    def showMessage(self, text: str) -> None:
        self._log(text)

    def _log(self, text: str) -> None:
        self.ui.setupLog.appendPlainText(inPanel(text))
        self.ui.setupLogBox.collapsed = False


def _summary(file: Path) -> str:
    """Device and speed, as the check wrote them down; "" if the file is damaged."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        speed = _("{n:.0f} slices/s").format(n=found["slices_per_s"])
        return f"{found['device']}, torch {found['torch']}, {speed}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _whyNoInstall(found) -> str:
    """Why the button cannot install what is missing; "" if it can."""
    if found.has_torch or found.can_install_torch:
        return ""
    return _(
        "Install the extension 'PyTorch' in the Extensions Manager and restart Slicer, or choose an external "
        "Python that has PyTorch."
    )


def _nextStep(text: str) -> str:
    """The error and what to do about it."""
    if "is not installed" in text or "No module named" in text:
        return text + " " + _("Next: press 'Install what is missing', or choose another Python.")
    if "torch" in text.casefold():
        return (
            text
            + " "
            + _("Next: see the log below; a wrong or half-installed PyTorch is best installed anew.")
        )
    return text + " " + _("Next: see the log below.")
