"""Read files in a process of their own, so that one that crashes its reader costs one case."""

from __future__ import annotations

import atexit
import functools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from ContrastiveSegLib import errors
from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.dicom_elements import looks_like_dicom
from ContrastiveSegLib.file_io.header_limits import EXPORT_AGAIN
from ContrastiveSegLib.file_io.pipe_messages import Answer
from ContrastiveSegLib.file_io.process_memory import limit_own_growth
from ContrastiveSegLib.file_io.read_limits import allowance_for, paths_in
from ContrastiveSegLib.file_io.reader_process import CannotStart, Died, ReaderProcess
from ContrastiveSegLib.file_io.screening import screen
from ContrastiveSegLib.file_io.serialization import pack, unpack
from ContrastiveSegLib.file_io.source_files import source_files

P = ParamSpec("P")
T = TypeVar("T")

LOGGER = logging.getLogger("ContrastiveSegLib")

# Another process costs half a second of a core that others prepare volumes on; where these do not wait long
# for the first one, it only takes that core from them. Measured in docs/research-log/speed.md.
GROW_AFTER_S = 5.0
MOST_PROCESSES = min(4, os.cpu_count() or 1)


def in_reader_process(function: Callable[P, T]) -> Callable[P, T]:
    """Let a function of this room be carried out in another process, which a damaged file may end.

    Its arguments and what it returns must be such as `plain_values` can pack. Where no process can be
    started it is carried out here, with files only whose headers were understood to the end; that is said.
    """
    name = f"{function.__module__}:{function.__name__}"

    @functools.wraps(function)
    def ask(*arguments: P.args, **options: P.kwargs) -> T:
        readers = _Readers.of_this_process()
        if readers.are_needed:
            try:
                found: T = readers.ask(name, arguments, options)
                return found
            except CannotStart as error:
                readers.give_up(error)
        if not _Readers.is_child:
            _refuse_uncertain((arguments, options))
        return function(*arguments, **options)

    return ask


def mark_as_reader_process() -> None:
    """Carry everything out here from now on: this is the process that reads."""
    _Readers.is_child = True


def limit_memory_for(paths: Sequence[Path]) -> None:
    """In the process that reads: from now on, take no more than the headers of these files promise."""
    if _Readers.is_child:
        limit_own_growth(allowance_for(list(paths)).memory)


def start_reading() -> None:
    """Let the process begin to load what it needs, while this one does something else."""
    readers = _Readers.of_this_process()
    if readers.are_needed:
        readers.prepare()


class RemoteTraceback(Exception):
    """What nobody expected in the other process: its traceback as text."""


class _Readers:
    """The reading processes of this process; a few of them, as soon as one is not enough."""

    is_child = False
    _making = threading.Lock()
    _all: dict[int, _Readers] = {}  # noqa: RUF012, one for each process: a forked one must not use its parent's

    def __init__(self) -> None:
        self.are_needed = not self.is_child
        self._changed = threading.Condition()
        self._idle: list[ReaderProcess] = []
        self._count, self._waited_s = 0, 0.0
        atexit.register(self.close)

    @classmethod
    def of_this_process(cls) -> _Readers:
        with cls._making:
            if os.getpid() not in cls._all:
                cls._all[os.getpid()] = cls()
            return cls._all[os.getpid()]

    def ask(self, name: str, arguments: Any, options: Any) -> Any:
        """The answer of the other process.

        Raises:
            ContrastiveSegError: As the function; BadFile also when the process died, or took too much.
            CannotStart: There is no such process.
        """
        request = {
            "function": name,
            "folder": str(Path.cwd()),
            "arguments": pack(tuple(arguments), []),
            "options": pack(dict(options), []),
        }
        named = ", ".join(dict.fromkeys(str(path) for path in paths_in((arguments, options))))
        try:
            return _value(self._answer(request, (arguments, options)), named)
        except Died as death:
            raise BadFile(f"{named} is damaged: {death}.", EXPORT_AGAIN) from death

    def _answer(self, request: dict[str, Any], values: Any) -> Answer:
        """Ask; once more if the process died that had read other files, which may have spoiled its memory."""
        with self._one() as process:
            had_read = not process.is_fresh
            try:
                return process.ask(request, lambda: allowance_for(values))
            except Died as death:
                if not (had_read and death.is_sudden):
                    raise
        return self._answer(request, values)

    def prepare(self) -> None:
        """Start the first process, if there is none."""
        with self._changed:
            if self._count:
                return
            self._count = 1
        try:
            self._give_back(ReaderProcess())
        except CannotStart as error:
            self.give_up(error)

    def give_up(self, error: CannotStart) -> None:
        """Read here from now on."""
        if self.are_needed:
            self.are_needed = False
            LOGGER.warning(
                "Files are read within this process, because a process for them cannot be started (%s): a "
                "damaged file may end it.",
                error,
            )

    def close(self) -> None:
        """End all processes that have nothing to do."""
        with self._changed:
            idle, self._idle = self._idle, []
        for process in idle:
            process.close()

    @contextmanager
    def _one(self) -> Iterator[ReaderProcess]:
        process = self._take() or ReaderProcess()
        try:
            yield process
        finally:
            self._give_back(process)

    def _take(self) -> ReaderProcess | None:
        """An idle process; None if another one may be started."""
        with self._changed:
            begin = time.monotonic()
            while not self._idle:
                self._waited_s += time.monotonic() - begin
                begin = time.monotonic()
                if self._count == 0 or (self._count < MOST_PROCESSES and self._waited_s > GROW_AFTER_S):
                    self._count, self._waited_s = self._count + 1, 0.0
                    return None
                self._changed.wait(0.1)
            return self._idle.pop()

    def _give_back(self, process: ReaderProcess) -> None:
        with self._changed:
            if process.is_usable:
                self._idle.append(process)
            else:
                self._count -= 1
                process.close()
            self._changed.notify()


def _value(answer: Answer, named: str) -> Any:
    """What the function returned, or the error it raised."""
    said = answer.said
    if "value" in said:
        return unpack(said["value"], answer.arrays)
    if "error" in said:
        raise getattr(errors, said["error"])(said["what"], said["remedy"])
    if "memory" in said:
        raise BadFile(f"{named} would take more memory than a file like it should.", EXPORT_AGAIN)
    cause = RemoteTraceback(said["traceback"])
    LOGGER.info("%s cannot be read.", named, exc_info=cause)
    raise BadFile(f"{named} cannot be read: {said['unexpected']}.", EXPORT_AGAIN) from cause


def _refuse_uncertain(values: Any) -> None:
    """Without a process to lose, only files that were understood are given to ITK.

    Raises:
        BadFile: A header is damaged, or says something that was not understood.
    """
    for path in paths_in(values):
        is_series = path.is_dir() or (path.is_file() and looks_like_dicom(path))
        files = [file for file in source_files(path) if looks_like_dicom(file)] if is_series else [path]
        for file in files if path.exists() else ():
            if not screen(file).declared.is_certain:
                raise BadFile(f"{file} has a header that is not understood here.", EXPORT_AGAIN)
