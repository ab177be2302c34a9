"""The answers of another process, as they come through a pipe: JSON, then the bytes of its arrays."""

from __future__ import annotations

import contextlib
import json
import queue
import struct
import sys
import threading
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt

if sys.platform != "win32":
    import select

# What a pipe may be given on Linux without asking; each time it is full, two processes take turns.
PIPE_BYTES = 1 << 20


@dataclass(frozen=True)
class Answer:
    """What the process said, and the arrays that came with it."""

    said: dict[str, Any]
    arrays: tuple[npt.NDArray[Any], ...]


class Answers:
    """What comes out of a pipe, for one who does not want to wait for ever."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._come: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        _enlarge(pipe)
        if sys.platform == "win32":
            # Only there a pipe cannot be looked at without reading from it.
            threading.Thread(target=self._listen, name="reader", daemon=True).start()

    def next(self, timeout_s: float) -> Answer | None:
        """The next answer; None if there will be no more.

        Raises:
            TimeoutError: Nothing came in that time.
        """
        if sys.platform == "win32":
            try:
                return self._come.get(timeout=timeout_s)
            except queue.Empty:
                raise TimeoutError from None
        look = select.poll()  # not select(), which knows only the first 1024 open files
        look.register(self._pipe, select.POLLIN)
        if not look.poll(timeout_s * 1000):
            raise TimeoutError
        return _received(self._pipe)

    def _listen(self) -> None:
        while (answer := _received(self._pipe)) is not None:
            self._come.put(answer)
        self._come.put(None)


def pack_message(content: dict[str, Any]) -> bytes:
    """What one side says, with its length in front."""
    text = json.dumps(content).encode("ascii")
    return struct.pack("<Q", len(text)) + text


def _received(pipe: IO[bytes]) -> Answer | None:
    with contextlib.suppress(EOFError, OSError, ValueError, KeyError, TypeError):
        (length,) = struct.unpack("<Q", _exactly(pipe, 8))
        said: dict[str, Any] = json.loads(_exactly(pipe, length))
        arrays = []
        for kind, shape in said.pop("arrays"):
            array = np.empty(shape, np.dtype(kind))
            _fill(pipe, array.reshape(-1).view(np.uint8).data)
            arrays.append(array)
        return Answer(said, tuple(arrays))
    return None


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    data = bytearray(count)
    _fill(pipe, memoryview(data))
    return bytes(data)


def _fill(pipe: Any, view: memoryview) -> None:
    while view:
        count = pipe.readinto(view)
        if not count:
            raise EOFError
        view = view[count:]


def _enlarge(pipe: IO[bytes]) -> None:
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError, AttributeError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
