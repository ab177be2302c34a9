"""The command line: python -m ContrastiveSegLib <job> ..., or contrastiveseg <job> ... once installed."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ContrastiveSegLib.command_line import Command, parse_command
from ContrastiveSegLib.disk import cannot_write
from ContrastiveSegLib.distributed.processes import is_first_to_say, refuse_several
from ContrastiveSegLib.errors import Cancelled, ContrastiveSegError, ProcessLost
from ContrastiveSegLib.registry import load_entry
from ContrastiveSegLib.runs.folder_overlap import DATA_SETTINGS
from ContrastiveSegLib.runs.log import LogFile, VisibleFormatter
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.settings.places import check_places
from ContrastiveSegLib.terminal import clean_terminal, print_any_letter, visible

LOGGER = logging.getLogger("ContrastiveSegLib")
STOPPING = ("SIGINT", "SIGTERM", "SIGUSR1")
DONE, FAILED, MOST_LOST, INTERRUPTED = 0, 1, 3, 130


def main(words: Sequence[str]) -> int:
    """Do one job and return the exit code: 0, 1 after an error, 3 if it was done but most cases were lost,
    130 when stopped.

    Raises:
        SystemExit: Help was asked for (0), or a flag is unknown, missing or not readable (2).
    """
    print_any_letter()
    verbose = bool({"-v", "--verbose"} & set(words))
    try:
        command = parse_command(words)
        refuse_several(command.job, plan=getattr(command.settings, "plan", False))
        with clean_terminal(), _messages(command, verbose=verbose), stopping_saved(_shared(command)):
            return _do(command)
    except (Exception, KeyboardInterrupt) as error:
        with clean_terminal():
            return _report(error, verbose=verbose)


def _do(command: Command) -> int:
    check_places(command.settings)
    if any(hasattr(command.settings, name) for name in DATA_SETTINGS):
        _start_reading()
    try:
        lost = load_entry("jobs", command.job, what="job").run(command.settings)
    except (Exception, KeyboardInterrupt) as error:
        # The console gets one paragraph; the traceback is for log.txt, whatever was asked.
        LOGGER.error("%s failed: %s", command.job, explain(error), exc_info=error)
        raise
    # A job without cases returns nothing.
    return MOST_LOST if lost is not None and lost.are_most else DONE


def _start_reading() -> None:
    """Let the process that reads files load what it needs while this one loads PyTorch, on another core."""
    from ContrastiveSegLib.file_io.reader import start_reading  # help would wait for numpy

    start_reading()


def explain(error: BaseException) -> str:
    """One paragraph for the user."""
    if isinstance(error, ContrastiveSegError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "Stopped. What was saved before is kept; start it again to go on."
    if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("ContrastiveSegLib"):
        package = (error.name or "").partition(".")[0]
        return f"The Python package {package!r} is not installed. Run: python -m pip install {package}"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EROFS, errno.EDQUOT):
        return str(cannot_write(Path(error.filename or "A file"), error))
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"Something unexpected happened: {what}. Add -v for the traceback, and report it with log.txt."


def _report(error: BaseException, *, verbose: bool) -> int:
    if isinstance(error, BrokenPipeError):
        # Whoever read our output, such as `head`, has seen enough; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    if verbose:
        traceback.print_exception(error)
    # Of several processes the first says what holds for all.
    if is_first_to_say() or not isinstance(error, (Cancelled, ProcessLost)):
        sys.stderr.write(visible(explain(error)) + "\n")
    return INTERRUPTED if isinstance(error, (KeyboardInterrupt, Cancelled)) else FAILED


@contextmanager
def _messages(command: Command, *, verbose: bool) -> Iterator[None]:
    """What the job logs goes to the console and, if it works in a run folder, to log.txt."""
    console = logging.StreamHandler()
    console.setFormatter(VisibleFormatter())
    # Asked for tracebacks, it shows those of single cases too; that of the end is printed by itself.
    console.addFilter(lambda record: record.exc_info is None or (verbose and record.levelno < logging.ERROR))
    handlers: list[logging.Handler] = [console]
    # Of several processes that torchrun started, only the first writes to the run folder.
    run = getattr(command.settings, "run", None)
    if run is not None and is_first_to_say():
        folder = RunFolder(run)
        handlers.append(LogFile(folder.log, wanted=lambda: folder.exists))
    LOGGER.setLevel(logging.INFO)
    for handler in handlers:
        LOGGER.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            LOGGER.removeHandler(handler)
            handler.close()


def _shared(command: Command) -> list[RunFolder]:
    """The run folder that this process works in without holding it, because the first process does."""
    run = getattr(command.settings, "run", None)
    return [] if run is None or is_first_to_say() else [RunFolder(run)]


@contextmanager
def stopping_saved(shared: Sequence[RunFolder] = ()) -> Iterator[None]:
    """Let Ctrl-C, and a cluster's SIGTERM or SIGUSR1, end a job in a run folder as Cancel in the panel."""

    def stop(_number: int, _frame: Any) -> None:
        _stop(shared)

    signals = [getattr(signal, name) for name in STOPPING if hasattr(signal, name)]
    before = [signal.signal(number, stop) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def _stop(shared: Sequence[RunFolder]) -> None:
    """First time: ask the job to save and leave. Second time, or with nothing to save: stop at once."""
    running = [run for run in (*RunFolder.held(), *shared) if not run.cancel_requested()]
    if not running:
        raise KeyboardInterrupt
    for run in running:
        run.request_cancel()
    # Not sys.stderr: a signal may come while that is in the middle of a line.
    os.write(2, b"\nStopping as soon as everything is saved; press Ctrl-C again to stop at once.\n")


def console() -> int:
    """What the command `contrastiveseg` does."""
    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(console())
