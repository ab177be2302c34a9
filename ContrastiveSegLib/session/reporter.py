"""What a job says while it works: to events.jsonl, to log.txt and to the terminal at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tqdm import tqdm

from ContrastiveSegLib.distributed.processes import is_first
from ContrastiveSegLib.errors import CannotWrite, RunInUse
from ContrastiveSegLib.runs.events import heartbeat, log_event
from ContrastiveSegLib.runs.folder_overlap import remarks_on_places
from ContrastiveSegLib.runs.held_locks import refuse_moved
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.runs.temporary_files import folders_in, remove_temporary_files

LOGGER = logging.getLogger("ContrastiveSegLib")
SHOWN = 5
SETTLED_S = 2.0  # after which an unfinished file in a locked run folder is nobody's any more


class Reporter:
    """The voice of one job in one run folder.

    Args:
        run: Where the events go.
        job: Name of the job; it is part of every event.
    """

    def __init__(self, run: RunFolder, job: str) -> None:
        self.run, self.job = run, job
        self._bar: Any = None

    def log_event(self, kind: str, **facts: Any) -> None:
        """Append one event; progress also moves the bar."""
        log_event(self.run.events, kind, job=self.job, **facts)
        if kind == "progress" and self._bar is not None:
            self._bar.update(facts["step"] - self._bar.n)
            terms = {name: f"{value:.3f}" for name, value in facts.get("terms", {}).items()}
            self._bar.set_postfix(terms, refresh=False)

    def info(self, sentence: str, *, kind: str = "note", **facts: Any) -> None:
        """Tell a person something: terminal, log and events."""
        with tqdm.external_write_mode():
            LOGGER.info(sentence)
        log_event(self.run.events, kind, job=self.job, text=sentence, **facts)

    def warn(self, sentence: str, **facts: Any) -> None:
        """The same, for what the user should look at."""
        with tqdm.external_write_mode():
            LOGGER.warning(sentence)
        log_event(self.run.events, "warning", job=self.job, text=sentence, **facts)

    def warn_all(self, sentences: Sequence[str]) -> None:
        """Warn of many things: the first few on the terminal, all of them in the events."""
        for sentence in sentences[:SHOWN]:
            self.warn(sentence)
        for sentence in sentences[SHOWN:]:
            self.log_event("warning", text=sentence)
        if len(sentences) > SHOWN:
            self.warn(f"... and {len(sentences) - SHOWN} more; {self.run.events} has them all.")

    def cancelled(self) -> bool:
        """Whether the user asked to stop."""
        return self.run.cancel_requested()

    @contextmanager
    def bar(self, total: int, unit: str, *, start: int = 0) -> Iterator[Callable[[int], None]]:
        """A progress bar with rate and time left; yields the function that moves it."""
        with tqdm(
            total=total, initial=start, unit=unit, desc=self.job, dynamic_ncols=True, mininterval=0.5
        ) as bar:
            self._bar = bar
            try:
                yield lambda n: bar.update(n) and None
            finally:
                self._bar = None


class Listener(Reporter):
    """One of several processes that does the same as the first one, which speaks for all."""

    def log_event(self, kind: str, **facts: Any) -> None:
        """Said by the first process."""

    def info(self, sentence: str, *, kind: str = "note", **facts: Any) -> None:
        """Said by the first process."""

    def warn(self, sentence: str, **facts: Any) -> None:
        """Said by the first process."""

    @contextmanager
    def bar(self, total: int, unit: str, *, start: int = 0) -> Iterator[Callable[[int], None]]:
        """Shown by the first process."""
        del total, unit, start
        yield lambda _: None


@contextmanager
def working(
    run: RunFolder, job: str, settings: object = None, *, may_only_read: bool = False
) -> Iterator[Reporter]:
    """Hold the run folder, tell start, heartbeat and end, whatever the end is; the first process does.

    Args:
        settings: Of the job; the folders they name are held against the run folder.
        may_only_read: The results go elsewhere, so a run folder that is read-only or in use will do; what
            happens is then shown on the terminal only.
    """
    if not is_first():
        yield Listener(run, job)
        return
    remarks = remarks_on_places(run.path, settings)
    with ExitStack() as stack:
        try:
            reporter = stack.enter_context(_voice(run, job))
        except (CannotWrite, RunInUse) as error:
            if not may_only_read:
                raise
            nowhere = RunFolder(Path(stack.enter_context(TemporaryDirectory())))
            reporter = stack.enter_context(_voice(nowhere, job))
            reporter.info(f"{run.path} is only read, and nothing is written there: {error.what}")
        reporter.warn_all(remarks)
        with heartbeat(reporter.run.events):
            try:
                yield reporter
            except BaseException as error:
                _log_failure(reporter, error)
                raise
            reporter.log_event("end", outcome="done")


@contextmanager
def _voice(run: RunFolder, job: str) -> Iterator[Reporter]:
    run.create()
    with run.lock():
        remove_temporary_files([run.path, *folders_in(run)], older_than_s=SETTLED_S)
        reporter = Reporter(run, job)
        reporter.log_event("start")
        yield reporter


def _log_failure(reporter: Reporter, error: BaseException) -> None:
    """Tell how it ended; a disk that refuses this too never hides the reason itself.

    Raises:
        CannotWrite: The run folder was moved away, which is the reason of whatever went wrong.
    """
    try:
        refuse_moved(reporter.run.path)
    except CannotWrite as moved:
        raise moved from error
    try:
        reporter.log_event("end", outcome=type(error).__name__, text=str(error))
    except CannotWrite as refused:
        LOGGER.warning("%s", refused)
