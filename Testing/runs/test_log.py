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


@pytest.mark.parametrize("when", ["opened", "written"])
def test_a_log_that_cannot_be_written_is_said_once_and_hides_nothing(tmp_path, capsys, when):
    if when == "opened":
        (tmp_path / "log.txt").mkdir()
        path = tmp_path / "log.txt"
    elif not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    else:
        path = Path("/dev/full")
    handler = LogFile(path)
    for n in range(3):
        handler.handle(logging.LogRecord("name", logging.ERROR, "file", n, "the real reason", (), None))
    handler.close()  # what waits in its buffer finds no place either

    said = capsys.readouterr().err
    assert said.count("cannot be written") == 1
    assert "Traceback" not in said


def test_a_folder_that_took_the_place_of_the_run_is_not_written_into(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    log = LogFile(run / "log.txt")
    run.rename(tmp_path / "moved")
    run.mkdir()

    log.emit(logging.makeLogRecord({"msg": "The run folder was moved."}))
    log.close()

    assert list(run.iterdir()) == []
