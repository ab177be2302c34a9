"""The interface of every step: fill, refresh, and listen to the jobs it started."""

from typing import Any

from slicer.i18n import tr as _

from . import job_words, state_line
from .busy import busy


class Step:
    """Abstract: a step overrides what concerns it.

    Args:
        panel: The Panel.
        stateLabel: Label for the step's one-line state.
    """

    box: Any = None
    paths: tuple = ()  # the PathFields of the step

    def __init__(self, panel, stateLabel) -> None:
        self.panel, self.ui, self._stateLabel = panel, panel.ui, stateLabel
        self._failure = ""

    def fill(self) -> None:
        """Show what the parameter node remembers."""

    def refresh(self) -> None:
        """Say what is done and what is missing; switch buttons."""

    def replay(self, _events) -> None:
        """Another run folder: show its events so far."""

    def forget(self) -> None:
        """Another run folder: what went wrong in the last one is history."""
        self.clearFailure()
        if self.box is not None:
            self.box.clear()

    def onShown(self, _case: str, _volume) -> None:
        """Another case is seen now, or something else of the same case."""

    def onBegin(self, _job, seen) -> None:
        """A job of this step begins, or was found running after it had written the events `seen`."""
        self._failure = ""
        if self.box is not None:
            self.box.begin()
            self.box.showEvents(seen)

    def onEvents(self, events) -> None:
        """New events of a job of this step."""
        if self.box is not None:
            self.box.onEvents(events)

    def onEnd(self, job, outcome, _extra) -> None:
        """A job of this step ended."""
        if self.box is None:
            return
        self.box.setBusy(False)
        output = job.tail()
        if outcome.kind in (job_words.FAILED, job_words.DIED) and output:
            self.box.appendLog(output)
        if outcome.kind == job_words.DONE:
            self.box.bar.setRange(0, 1)
            self.box.bar.setValue(1)
            self.showMessage(_("Done."))
        elif outcome.kind == job_words.CANCELLED:
            self.showMessage(outcome.text or _("Cancelled."))
        else:
            self.fail(outcome.text)

    def busy(self, text: str):
        """A context for what takes a moment: the state line says so, and the cursor waits."""
        return busy(text, self._stateLabel)

    def showMessage(self, text: str) -> None:
        """Show one line below the progress bar."""
        if self.box is not None:
            self.box.showMessage(text)

    def fail(self, text: str) -> None:
        """Show what went wrong until the next start."""
        self._failure = text
        self.showMessage(text)
        self.show(state_line.FAILED, text)

    def clearFailure(self) -> None:
        """What went wrong is mended, or history; its text goes from wherever it stands."""
        if self.box is not None and self._failure and self.box.line.text == self._failure:
            self.box.line.text = ""
        self._failure = ""

    def failBefore(self, text: str) -> None:
        """Something went wrong before this panel was there: its state says so, no job of now."""
        self._failure = text
        self.show(state_line.FAILED, text)

    def show(self, kind: str, text: str) -> None:
        """The step's one-line state; a failure stays until the next start."""
        if self._failure:
            kind, text = state_line.FAILED, self._failure
        state_line.show(self._stateLabel, kind, text)
