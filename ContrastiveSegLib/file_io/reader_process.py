"""One process that reads files for this one: started, asked, watched, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ContrastiveSegLib.file_io.pipe_messages import Answer, Answers, pack_message
from ContrastiveSegLib.file_io.process_memory import use_of
from ContrastiveSegLib.file_io.read_limits import Allowance

ROOT = Path(__file__).resolve().parents[2]

# Not `-m`: the current folder, which that would search first, may hold a file called numpy.py.
PROGRAM = (
    "import sys; sys.path[0] = {root!r}; from ContrastiveSegLib.file_io.reader_child import main; main()"
)

# Loading numpy and SimpleITK from a cold disk or through a virus scanner.
STARTUP_S = 120.0
LOOK_EVERY_S = 0.05
# A process that waits for a disk uses no processor time; it gets longer before it is given up.
WAITING = 6.0


class CannotStart(Exception):
    """There is no process to read with."""


class Died(Exception):
    """The process ended before it answered, or was ended; says why."""

    def __init__(self, why: str, *, is_sudden: bool) -> None:
        super().__init__(why)
        self.is_sudden = is_sudden


class ReaderProcess:
    """A process that carries out functions of this room, one after the other.

    Raises:
        CannotStart: There is no Python to start, or it does not come to life.
    """

    def __init__(self) -> None:
        self.is_fresh, self.is_usable = True, True
        self._is_ready, self._memory_at_start = False, 0
        self._process, self._answers = _started()

    def ask(self, request: dict[str, Any], allowance: Callable[[], Allowance]) -> Answer:
        """Ask and wait for the answer.

        Args:
            allowance: What it may take; found out only if it takes long.

        Raises:
            Died: The process ended, or took more than that, and is gone.
            CannotStart: It never came to life.
        """
        self._wait_until_ready()
        self.is_fresh = False
        self.is_usable = False  # until it has answered: half an answer must not be taken for the next one
        self._send(pack_message(request))
        answer = self._waited(allowance)
        self.is_usable = answer is not None
        if answer is None:
            raise Died(f"reading it ended the process that read it ({self._end()})", is_sudden=True)
        return answer

    def close(self) -> None:
        """End the process; it ends by itself once nobody can ask it any more."""
        self.is_usable = False
        with contextlib.suppress(OSError):
            if self._process.stdin and self._process.stdout:
                self._process.stdin.close()
                self._process.stdout.close()
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait_until_ready(self) -> None:
        if self._is_ready:
            return
        try:
            first = self._answers.next(STARTUP_S)
        except TimeoutError:
            first = None
        if first is None:
            self.is_usable = False
            self._process.kill()
            raise CannotStart(f"{sys.executable} ended with {self._end()}")
        self._is_ready = True
        self._memory_at_start = use_of(self._process.pid).memory or 0

    def _waited(self, allowance: Callable[[], Allowance]) -> Answer | None:
        """The answer; None if the process ended."""
        with contextlib.suppress(TimeoutError):
            return self._answers.next(LOOK_EVERY_S)
        allowed, begin, first = allowance(), time.monotonic(), use_of(self._process.pid)
        while True:
            with contextlib.suppress(TimeoutError):
                return self._answers.next(LOOK_EVERY_S)
            now = use_of(self._process.pid)
            if now.memory is not None and now.memory - self._memory_at_start > allowed.memory:
                self._kill(f"reading it takes more than {allowed.memory >> 20} MB of memory")
            waited = time.monotonic() - begin
            worked = waited if now.seconds is None or first.seconds is None else now.seconds - first.seconds
            if worked > allowed.seconds or waited > WAITING * allowed.seconds:
                self._kill(f"reading it does not come to an end within {allowed.seconds:.0f} s")

    def _send(self, message: bytes) -> None:
        view = memoryview(message)
        with contextlib.suppress(OSError):  # whoever is dead cannot listen; that no answer comes says so
            while self._process.stdin and view:
                view = view[self._process.stdin.write(view) :]

    def _kill(self, why: str) -> None:
        self._process.kill()
        raise Died(why, is_sudden=False)

    def _end(self) -> str:
        """How the process ended, in words."""
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if code < 0:
            with contextlib.suppress(ValueError):
                return signal.Signals(-code).name
        return f"code {code}"


def _started() -> tuple[subprocess.Popen[bytes], Answers]:
    # Within an application the name may be that of the application, which would open once more.
    if "python" not in Path(sys.executable or "").name.lower():
        raise CannotStart(f"{sys.executable or 'nothing'} is no Python")
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(root=str(ROOT))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={**os.environ, **threads},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        raise CannotStart(f"{sys.executable}: {error.strerror or error}") from error
    if process.stdout is None:
        raise CannotStart("it has no output")
    return process, Answers(process.stdout)
