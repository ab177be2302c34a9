"""Text for a terminal: control characters, such as escape sequences, are shown instead of obeyed."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

# C0 and C1 controls, line and paragraph separators, and what turns the direction of writing around.
CONTROL = "\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
_IN_A_LINE = re.compile(f"[{CONTROL}]")
_IN_A_TEXT = re.compile(f"(?![\n\t])[{CONTROL}]")


def visible(text: str) -> str:
    r"""One line: its control characters and line breaks are written out, such as \x1b."""
    return _IN_A_LINE.sub(_written_out, text)


def visible_text(text: str) -> str:
    """The same for a text of several lines, which stay as they are."""
    return _IN_A_TEXT.sub(_written_out, text)


def print_line(line: str) -> None:
    """Print one line at once, whatever names are in it."""
    print(visible(line), flush=True)


def print_any_letter() -> None:
    """Let a terminal show as escapes what it cannot print, such as Greek names on a Western Windows."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def clean_terminal() -> Iterator[None]:
    """Inside the `with` block, no name of a file, structure or region can steer the terminal."""
    with redirect_stdout(_Clean(sys.stdout)), redirect_stderr(_Clean(sys.stderr)):
        yield


class _Clean:
    """A stream that shows control characters; a progress bar begins with a carriage return, which stays."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text; the number of its letters."""
        start = "\r" if text.startswith("\r") else ""
        self._stream.write(start + visible_text(text[len(start) :]))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _written_out(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
