"""The events of a run, quickly: all of a short file, samples and the end of a long one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

from ContrastiveSegLib.runs.events import events_in, read_new

# A file of so many bytes is read whole; of a longer one as many windows, evenly spread, and its end.
WHOLE = 2 << 20
WINDOWS, WINDOW = 120, 4096
END = 64 << 10
# Of the steps in a window a few make the curve; rare events are all taken.
FREQUENT = (b'"kind": "progress"', b'"kind": "heartbeat"')
STEPS_PER_WINDOW = 3


def overview(path: Path, position: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Events from byte `position` on, and the position to ask from next time, as `read_new`.

    Of a long stretch only a part is read, in the order of the file: enough for curves, for what
    was said last, and for how it ended.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = position if position <= size else 0
            if size - start > WHOLE:
                return _sampled(file, start, size)
    except FileNotFoundError:
        return [], 0
    return read_new(path, position)


def _sampled(file: BinaryIO, start: int, size: int) -> tuple[list[dict[str, Any]], int]:
    end = size - END
    step = (end - start) / WINDOWS
    events: list[dict[str, Any]] = []
    for number in range(WINDOWS):
        place = start + int(number * step)
        file.seek(place)
        data = file.read(min(WINDOW, end - place))
        # Where a window cuts a line, neither half is an event; the first one begins with a whole line.
        first = 0 if number == 0 else data.find(b"\n") + 1
        events += events_in(_thinned(data[first : data.rfind(b"\n") + 1]))
    file.seek(end)
    data = file.read()
    last = data.rfind(b"\n") + 1
    return events + events_in(data[data.find(b"\n") + 1 : last]), end + last


def _thinned(lines: bytes) -> bytes:
    """Without most of the steps, which look like their neighbors: to understand a line takes longest."""
    kept, steps = [], 0
    for line in lines.splitlines(keepends=True):
        is_frequent = any(kind in line for kind in FREQUENT)
        steps += is_frequent
        if not is_frequent or steps <= STEPS_PER_WINDOW:
            kept.append(line)
    return b"".join(kept)
