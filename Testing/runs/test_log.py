"""The log is for people: time, level, text and traceback, and only where a run is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from ContrastiveSegLib.runs.log import LogFile


@pytest.fixture
def a_logger() -> Iterator[logging.Logger]:
    logger = logging.Logger("test")
    yield logger
    for handler in logger.handlers:
        handler.close()


def test_messages_and_tracebacks_are_appended(tmp_path: Path, a_logger: logging.Logger) -> None:
    path = tmp_path / "log.txt"
    path.write_text("before\n")
    a_logger.addHandler(LogFile(path))
    try:
        raise ValueError("größer")
    except ValueError as error:
        a_logger.error("It failed.", exc_info=error)

    text = path.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert "ERROR   It failed.\nTraceback" in text
    assert "ValueError: größer" in text


def test_a_folder_that_does_not_exist_is_not_created(tmp_path: Path, a_logger: logging.Logger) -> None:
    a_logger.addHandler(LogFile(tmp_path / "run" / "log.txt"))
    a_logger.error("It failed.")

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_appears_later_gets_its_log(tmp_path: Path, a_logger: logging.Logger) -> None:
    a_logger.addHandler(LogFile(tmp_path / "run" / "log.txt"))
    (tmp_path / "run").mkdir()
    a_logger.warning("Now.")

    assert "WARNING Now." in (tmp_path / "run" / "log.txt").read_text()
