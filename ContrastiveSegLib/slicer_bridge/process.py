"""Start a job in its own process, cancel it, find it again after a restart."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ContrastiveSegLib.disk import cannot_write
from ContrastiveSegLib.errors import BadFile, CannotWrite, RunInUse
from ContrastiveSegLib.runs.atomic_write import make_folder, write_json
from ContrastiveSegLib.runs.events_overview import overview
from ContrastiveSegLib.runs.file_lock import hold
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.slicer_bridge.engine import ROOT, Engine
from ContrastiveSegLib.slicer_bridge.process_identity import is_same
from ContrastiveSegLib.slicer_bridge.process_tree import end_tree, group_options, is_alive

GRACE_S = 20.0  # to save and leave after Cancel
LAST_GRACE_S = 5.0  # after the polite signal
STARTUP_S = (
    60.0  # until a fresh process holds the run folder: importing torch from a cold disk takes this long
)
TAIL = 4000


@dataclass
class Job:
    """A job's process, whether this program started it or found it running.

    Args:
        folder: Where order, process id and output of the job lie.
        run: The run folder the job works in; None for a job without one, such as `check`.
        position: Byte of the events file from which on they are the job's own.
        started: Seconds since 1970.
        words: The command line of the process.
    """

    name: str
    folder: Path
    pid: int
    run: RunFolder | None = None
    position: int = 0
    started: float = 0.0
    words: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    cancelled_at: float | None = None
    _signalled_at: float | None = None

    @property
    def output(self) -> Path:
        """What the job wrote to the console."""
        return _output(self.folder, self.name)

    def is_running(self) -> bool:
        """Whether the process lives; never waits."""
        if self.process is not None:
            return self.process.poll() is None
        return _is_ours(self)

    def new_events(self) -> list[dict[str, Any]]:
        """The events since the last call; none while the run folder cannot be read."""
        if self.run is None:
            return []
        try:
            events, self.position = overview(self.run.events, self.position)
        except OSError:
            # A network drive that is away for a moment; whether the folder is gone, `is_folder_gone` says.
            return []
        return [event for event in events if event.get("job", self.name) == self.name]

    def is_folder_gone(self) -> bool:
        """Whether somebody moved or deleted the run folder under the job."""
        return not self.folder.is_dir()

    def cancel(self) -> None:
        """Ask the job to save and leave; `enforce_cancel` then makes sure that it does."""
        if self.cancelled_at is not None:
            return
        self.cancelled_at = time.monotonic()
        if self.run is None:
            self._signal(at_once=False)
            return
        try:
            self.run.request_cancel()
        except CannotWrite:
            # Disk full, or the folder is gone: then the signal is all there is.
            self._signal(at_once=False)

    def enforce_cancel(self, *, grace_s: float = GRACE_S, last_grace_s: float = LAST_GRACE_S) -> None:
        """After Cancel, end the process tree once the grace time is over; call it from a timer."""
        if self.cancelled_at is None or not self.is_running():
            return
        now = time.monotonic()
        if self._signalled_at is None:
            if now - self.cancelled_at > grace_s:
                self._signal(at_once=False)
        elif now - self._signalled_at > last_grace_s:
            self._end_tree(at_once=True)

    def end(self) -> None:
        """End the process tree now."""
        self._end_tree(at_once=True)

    def tail(self, size: int = TAIL) -> str:
        """The end of what the job wrote to the console."""
        try:
            with self.output.open("rb") as file:
                file.seek(0, 2)
                file.seek(max(0, file.tell() - size))
                return file.read().decode("utf-8", errors="replace").replace("\r", "\n")
        except OSError:
            return ""

    def close(self) -> None:
        """Forget an ended process, so that nobody finds it again."""
        try:
            _state_file(self.folder).unlink(missing_ok=True)
        except OSError:
            # The folder is gone or read-only; a process id that leads nowhere does no harm there.
            return

    def _signal(self, *, at_once: bool) -> None:
        self._signalled_at = time.monotonic()
        self._end_tree(at_once=at_once)

    def _end_tree(self, *, at_once: bool) -> None:
        """End our own process alone: the id of one that is gone may belong to somebody else by now."""
        is_ours = self.process.poll() is None if self.process else is_same(self.pid, self.started, self.words)
        if is_ours:
            end_tree(self.pid, at_once=at_once)


def start(
    name: str, settings: Mapping[str, Any], engine: Engine, *, run: RunFolder | None = None, folder: Path
) -> Job:
    """Start a job; returns at once.

    Args:
        name: The verb: "pretrain", "predict" ...
        settings: Plain JSON values, written to a file that the job reads.
        folder: Where order, process id and output go; a run's `panel`.

    Raises:
        RunInUse: A job that was started here before still runs.
        BadFile: The program cannot be started.
        CannotWrite: The folder cannot be written.
    """
    if (other := find(folder)) is not None:
        raise RunInUse(
            f"The job '{other.name}' (process {other.pid}) still works in {folder.parent}.",
            "Wait until it has finished, or cancel it.",
        )
    make_folder(folder)
    order = folder / f"{name}.json"
    write_json(order, {name: dict(settings)})
    position = _size(run.events) if run else 0
    if run:
        run.clear_cancel()
    words = [*engine.command, name, "--settings", str(order)]
    process = _launch(words, engine, _output(folder, name))
    job = Job(name, folder, process.pid, run, position, round(time.time(), 3), tuple(words), process)
    state = {"job": name, "pid": process.pid, "position": position, "started": job.started, "run": bool(run)}
    write_json(_state_file(folder), {**state, "words": words})
    return job


def find(folder: Path, *, run: RunFolder | None = None) -> Job | None:
    """The job that was started in this folder and still runs; None if there is none.

    Args:
        folder: As it was given to `start`.
        run: The run folder, if the job works in one and its events are wanted.
    """
    job = last(folder, run=run)
    return job if job is not None and job.is_running() else None


def last(folder: Path, *, run: RunFolder | None = None) -> Job | None:
    """The last job of a folder, running or dead; None if there is none."""
    try:
        state = json.loads(_state_file(folder).read_text(encoding="utf-8"))
        has_run = run or (RunFolder(folder.parent) if state["run"] else None)
        words = tuple(str(word) for word in state.get("words", ()))
        job = Job(
            str(state["job"]),
            folder,
            int(state["pid"]),
            has_run,
            int(state["position"]),
            float(state["started"]),
            words,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        # No state, or a damaged one: nothing that could be continued.
        return None
    is_possible = job.name.isidentifier() and 0 < job.pid < 2**31 and job.position >= 0
    return job if is_possible else None


def _launch(words: list[str], engine: Engine, output: Path) -> subprocess.Popen[bytes]:
    try:
        with output.open("wb") as file:
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=engine.environment(),
                cwd=ROOT,  # where `-m ContrastiveSegLib` is found, whatever Python it is
                **group_options(),
            )
    except OSError as error:
        if error.filename == str(output):
            raise cannot_write(output, error) from error
        raise BadFile(
            f"{words[0]} cannot be started: {error.strerror or error}.",
            "Choose another Python in the set-up.",
        ) from error


def _is_ours(job: Job) -> bool:
    """Whether a process found by its id is the job and not a later process with the same id."""
    if not is_alive(job.pid) or not is_same(job.pid, job.started, job.words):
        return False
    if job.run is None or time.time() - job.started < STARTUP_S:
        return True
    if not job.run.lock_file.exists():
        return False
    try:
        with hold(job.run.lock_file):
            return False
    except RunInUse:
        return True
    except CannotWrite:
        # A drive without locks, or read-only: the process id has to do.
        return True


def _state_file(folder: Path) -> Path:
    return folder / "process.json"


def _output(folder: Path, name: str) -> Path:
    return folder / f"{name}.output.txt"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
