"""log_event() appends a line to events.jsonl, read_new() returns the lines not yet seen."""

from __future__ import annotations

import json
import logging
import math
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ContrastiveSegLib.disk import cannot_write
from ContrastiveSegLib.errors import CannotWrite
from ContrastiveSegLib.runs.held_locks import refuse_moved

LOGGER = logging.getLogger(__name__)


def log_event(path: Path, kind: str, **facts: Any) -> None:
    """Append one event: a JSON object on one line, with `time` in seconds since 1970 and `kind`.

    The line goes out in a single append, so that several processes can tell at once without mixing letters.
    JSON knows no NaN: a number that is not finite is written as null.

    Raises:
        CannotWrite: Disk full, read-only, no permission ...
    """
    refuse_moved(path)
    event = {"time": round(time.time(), 3), "kind": kind, **facts}
    line = json.dumps(_plain(event), ensure_ascii=False, allow_nan=False) + "\n"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
        try:
            # A process killed in the middle of a line leaves it open; it must not swallow this one.
            _append(descriptor, _closing(descriptor) + line.encode("utf-8", "backslashreplace"))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise cannot_write(path, error) from error


def read_new(path: Path, position: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The events from byte `position` on, and the position to ask from next time.

    An incomplete last line is kept for next time. A line that is not JSON, as a full disk or a crash can
    leave behind, becomes an event of kind "damaged" with its `text`. No file yet: no events. A file that is
    shorter than `position` was begun anew, and is read from its start.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = position if position <= size else 0
            file.seek(start)
            data = file.read()
    except FileNotFoundError:
        return [], 0
    complete = data[: data.rfind(b"\n") + 1]
    return events_in(complete), start + len(complete)


def events_in(data: bytes) -> list[dict[str, Any]]:
    """The events of complete lines."""
    lines = data.decode("utf-8", errors="replace").split("\n")
    return [_event(line) for line in lines if line.strip()]


@contextmanager
def heartbeat(path: Path, every_s: float = 5.0) -> Iterator[None]:
    """Tell at once and then every `every_s` seconds that this process is alive, inside the `with` block."""
    stop = threading.Event()
    thread = threading.Thread(target=_beat, args=(path, every_s, stop), name="heartbeat", daemon=True)
    log_event(path, "heartbeat", pid=os.getpid())
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _beat(path: Path, every_s: float, stop: threading.Event) -> None:
    complained = False
    while not stop.wait(every_s):
        try:
            log_event(path, "heartbeat", pid=os.getpid())
        except CannotWrite as error:
            # The job itself fails on its next event; a full disk may also be emptied before that.
            if not complained:
                LOGGER.warning("%s", error)
            complained = True


def _append(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    if written < len(data):
        # A nearly full disk takes a part; trying the rest alone gives the system's own reason.
        os.write(descriptor, data[written:])


def _closing(descriptor: int) -> bytes:
    """A line end, if the file's last line has none."""
    if os.fstat(descriptor).st_size == 0:
        return b""
    os.lseek(descriptor, -1, os.SEEK_END)
    return b"" if os.read(descriptor, 1) == b"\n" else b"\n"


def _event(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        event = None
    return event if isinstance(event, dict) and _is_whole(event) else {"kind": "damaged", "text": line}


def _is_whole(event: dict[str, Any]) -> bool:
    """Whether an event holds what everybody relies on who draws curves and bars."""
    kind = event.get("kind")
    if not isinstance(kind, str) or not _is_number(event.get("time", 0)):
        return False
    if kind == "progress" and "steps" in event:
        return (
            _is_number(event.get("step"))
            and _is_number(event["steps"])
            and _are_terms(event.get("terms", {}))
        )
    if kind == "validation":
        return _is_number(event.get("step", 0)) and _are_terms(event.get("dice", {}))
    return True


def _are_terms(terms: Any) -> bool:
    return isinstance(terms, dict) and all(term is None or _is_number(term) for term in terms.values())


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300


def _plain(value: Any) -> Any:
    """What JSON can say: numpy and torch scalars become numbers, paths text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (str, int, float)):
        return value
    return _plain(value.item()) if hasattr(value, "item") else str(value)
