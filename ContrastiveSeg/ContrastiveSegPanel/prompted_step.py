"""A part of a step that asks a promptable model: its choice, its job, slice after slice."""

from abc import ABC, abstractmethod

from .job_box import JobBox
from .model_choice import ModelChoice
from .step import Step


class PromptedStep(Step, ABC):
    """Counts slices and remembers the result of the job.

    Args:
        name: Of the job; the widgets begin with it.
        event: Kind of the event that the job writes for each slice.
        makes: What the job can use: "masks", "volumes".
        text: Of the button.
    """

    def __init__(self, panel, name: str, *, event: str, makes, text: str) -> None:
        super().__init__(panel, getattr(panel.ui, f"{name}State"))
        self.box = JobBox(getattr(panel.ui, f"{name}Job"), name, self.onStart, panel.cancel)
        self.box.start.text = text
        self.choice = ModelChoice(panel, name, makes, panel.refresh)
        self.paths = (self.choice.path,)
        self._event, self._slices = event, 0
        self._result: dict = {}

    @abstractmethod
    def onStart(self) -> None:
        """The button was pressed."""

    def fill(self) -> None:
        self.choice.fill()

    def onBegin(self, job, seen) -> None:
        super().onBegin(job, seen)
        self._slices, self._result = 0, {}
        self._count(seen)

    def onEvents(self, events) -> None:
        super().onEvents(events)
        self._count(events)

    def _count(self, events) -> None:
        slices = [event for event in events if event.get("kind") == self._event]
        self._slices += len(slices)
        if slices:
            self.box.fillCount(self._slices, int(slices[-1]["slices"]))
        results = [event for event in events if event.get("kind") == "result" and event.get("file")]
        self._result = results[-1] if results else self._result
