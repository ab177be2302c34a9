"""One timer that reads what a job says; the window never waits for anything."""

import qt

from . import job_words

INTERVAL_MS = 250
KEPT = 50  # events, to know how the job ended


class JobMonitor:
    """Follows one job at a time.

    Args:
        parent: Widget that owns the timer.
        onEvents: Called with a list of new events.
        onEnd: Called once with the job and its Outcome.
    """

    def __init__(self, parent, onEvents, onEnd) -> None:
        self.job = None
        self._onEvents, self._onEnd = onEvents, onEnd
        self._seen: list = []
        self.timer = qt.QTimer(parent)
        self.timer.setInterval(INTERVAL_MS)
        self.timer.connect("timeout()", self.look)

    @property
    def isBusy(self) -> bool:
        """Whether a job is being followed."""
        return self.job is not None

    def follow(self, job, seen=()) -> None:
        """Start reading what a job says, after what was seen before."""
        self.job, self._seen = job, list(seen)[-KEPT:]
        self.timer.start()

    def letGo(self) -> None:
        """Stop reading; the job goes on."""
        self.timer.stop()
        self.job = None

    def cancel(self) -> None:
        """Ask the job to save and leave."""
        if self.job is not None:
            self.job.cancel()

    def look(self) -> None:
        """Read once, press a cancelled job to leave, and notice its end."""
        job = self.job
        if job is None:
            self.timer.stop()
            return
        if job.is_folder_gone():
            # Weights written now would go nowhere.
            job.end()
        isRunning = job.is_running()
        events = job.new_events()  # after the question: what was said before the end is read
        if events:
            self._seen = [*self._seen, *events][-KEPT:]
            self._onEvents(events)
        if isRunning:
            job.enforce_cancel()
            return
        self.letGo()
        outcome = job_words.outcomeOf(job, self._seen)
        job.close()
        self._onEnd(job, outcome)
