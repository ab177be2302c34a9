"""How long a training takes on this computer: asked of the engine in a quiet moment, and remembered."""

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path

import qt
import slicer

from ContrastiveSegLib.errors import ContrastiveSegError
from ContrastiveSegLib.settings.job_settings import JOBS
from ContrastiveSegLib.settings.method_catalog import with_all_options
from ContrastiveSegLib.settings.schema import from_dict, to_dict
from ContrastiveSegLib.slicer_bridge import process

from . import job_words
from .job_monitor import JobMonitor
from .user_settings import recall, remember

DELAY_MS = 1500  # after the last change
KEPT, MOST_KEPT = "Plans", 20
# Settings of a job that change nothing in its plan. That of pre-training tells what one step costs.
FREE = {
    "pretrain": ("run", "steps", "epochs", "lr", "optimizer", "seed", "plan", "save_every_min"),
    "finetune": ("lr", "seed", "plan", "save_every_min"),
}
NEEDED = {
    "pretrain": (
        "slices", "batch", "cases", "seconds_per_case", "seconds_per_step", "startup_s", "memory_mb",
    ),
    "finetune": ("trainings", "steps", "seconds", "memory_mb", "disk_mb"),
}  # fmt: skip


class Planner:
    """Knows plans by what decides them; one that it does not know, it lets the engine make.

    Args:
        panel: The Panel; its jobs come first.
        job: "pretrain" or "finetune".
        onKnown: Called when a plan has come.
    """

    def __init__(self, panel, job: str, onKnown) -> None:
        self._panel, self._job, self._onKnown = panel, job, onKnown
        self._failed: dict = {}
        self._wanted: dict = {}
        self._asked = ""
        self._monitor = JobMonitor(panel.parent, lambda _events: None, self._onEnd)
        self._timer = qt.QTimer(panel.parent)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.connect("timeout()", self._start)

    def plan(self, settings) -> dict:
        """What is known of a training, {} if it must be asked first, {"error": text} if it cannot be.

        Args:
            settings: As the job gets them; without a run folder if nothing in it is learned from.

        Raises:
            BadSetting: A value is not allowed.
        """
        key = self._key(settings)
        found = _remembered().get(key) or self._failed.get(key)
        if found:
            return found
        if key != self._asked or not self._monitor.isBusy:
            self._wanted, self._asked = settings, key
            self._timer.start()
        return {}

    def learn(self, settings, *, images_per_s: float, memory_mb) -> None:
        """The speed of a real run is better than that of a few trial steps."""
        key = self._key(settings)
        known = _remembered().get(key)
        if known:
            _keep(key, {**known, "seconds_per_step": known["batch"] / images_per_s, "memory_mb": memory_mb})

    def stop(self) -> None:
        """Make room for a real job."""
        self._timer.stop()
        job = self._monitor.job
        self._monitor.letGo()
        if job is not None:
            job.end()
            job.close()

    def _key(self, settings) -> str:
        whole = to_dict(with_all_options(from_dict(JOBS[self._job], {"run": ".", **settings})))
        deciding = {name: value for name, value in whole.items() if name not in FREE[self._job]}
        cases = [case.name for case in self._panel.data.reader.cases]
        drawn = asdict(self._panel.state.annotated) if self._job == "finetune" else None
        text = json.dumps(
            [self._job, deciding, self._panel.logic.engine().command, cases, drawn], sort_keys=True
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _start(self) -> None:
        """Unless something else works: then the next look at the step asks again."""
        if self._panel.monitor.isBusy:
            return
        self.stop()
        folder = Path(slicer.app.temporaryPath) / f"ContrastiveSeg-plan-{self._job}-{os.getpid()}"
        settings = {"run": str(folder / "run"), **self._wanted, "plan": True}
        try:
            self._monitor.follow(
                process.start(self._job, settings, self._panel.logic.engine(), folder=folder)
            )
        except ContrastiveSegError as error:
            self._failed[self._asked] = {"error": str(error)}

    def _onEnd(self, job, outcome) -> None:
        try:
            _keep(self._asked, self._read(job.tail()))
        except (ValueError, KeyError):
            self._failed[self._asked] = {"error": outcome.text or job_words.lastParagraph(job.tail())}
        self._onKnown()

    def _read(self, output: str) -> dict:
        """The plan is the last line that the engine wrote."""
        plan = json.loads(job_words.lastParagraph(output))
        return {name: plan[name] for name in NEEDED[self._job]}


def _remembered() -> dict:
    """The plans of today's kind; those of an earlier version lack something, and are asked for anew."""
    plans = json.loads(recall(KEPT, "{}"))
    return {key: plan for key, plan in plans.items() if any(set(n) <= set(plan) for n in NEEDED.values())}


def _keep(key: str, plan) -> None:
    others = [(k, v) for k, v in _remembered().items() if k != key]
    remember(KEPT, json.dumps(dict([*others[1 - MOST_KEPT :], (key, plan)])))
