"""Segment a volume of the scene without the panel: from scripts, notebooks and other modules."""

import time
from pathlib import Path

from slicer.i18n import tr as _

from ContrastiveSegLib.errors import BadFolder, ContrastiveSegError
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.slicer_bridge import nodes, predictions, process

from . import job_words, predicted_volume
from .job_monitor import JobMonitor

POLL_S = 0.1


def predict(volume, runFolder, engine, callback=None):
    """Segment a volume with a fine-tuned run.

    Args:
        callback: Called with (segmentation node or None, error text) when done; None: wait for the result.

    Returns:
        The new segmentation node; with a callback the JobMonitor, which must be kept.

    Raises:
        ContrastiveSegError: The job could not be started, or failed (only without a callback).
    """
    run = RunFolder(Path(runFolder))
    if not run.path.is_dir():
        raise BadFolder(f"There is no run folder {run.path}.", "Check the path.")
    case = nodes.case_of(volume)
    settings = {"run": str(run.path), "overwrite": True, **predicted_volume.export(volume, run)}
    job = process.start("predict", settings, engine, run=run, folder=run.panel)
    if callback is None:
        return _waited(job, run, case, volume)

    def onEnd(_job, outcome):
        if outcome.kind != job_words.DONE:
            callback(None, outcome.text or outcome.kind)
            return
        callback(_shown(run, case, volume), "")

    monitor = JobMonitor(None, lambda _events: None, onEnd)
    monitor.follow(job)
    return monitor


def _waited(job, run, case, volume):
    events = []
    while job.is_running():
        events += job.new_events()
        time.sleep(POLL_S)
    events += job.new_events()
    outcome = job_words.outcomeOf(job, events)
    job.close()
    if outcome.kind != job_words.DONE:
        raise ContrastiveSegError(outcome.text or _("The prediction failed."), f"See {job.output}.")
    return _shown(run, case, volume)


def _shown(run, case, volume):
    return predictions.show_prediction(run.prediction(case), volume, f"{case} predicted", in_3d=False)
