"""Events arrive complete, in order, once, and from several processes at a time."""

from __future__ import annotations

import errno
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ContrastiveSegLib.errors import CannotWrite
from ContrastiveSegLib.runs import events
from ContrastiveSegLib.runs.events import heartbeat, log_event, read_new

TELLER = """
import sys
from pathlib import Path
from ContrastiveSegLib.runs.events import log_event
for number in range(300):
    log_event(Path(sys.argv[1]), "progress", teller=sys.argv[2], number=number, padding="x" * (number * 20))
"""


@pytest.fixture
def an_event_file(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def wait_for_beats(path: Path, count: int) -> None:
    """Wait until so many lines are there; a heart that does not beat fails the test."""
    end = time.monotonic() + 20
    while len(read_new(path)[0]) < count:
        assert time.monotonic() < end, "The heart stopped."
        time.sleep(0.01)


def test_what_is_told_is_read_once(an_event_file: Path) -> None:
    log_event(an_event_file, "progress", step=1, terms={"position": 2.5}, file=Path("a ä.nrrd"))
    first, position = read_new(an_event_file)
    log_event(an_event_file, "end")
    second, position = read_new(an_event_file, position)

    assert [(event["kind"], event.get("step")) for event in first + second] == [
        ("progress", 1),
        ("end", None),
    ]
    assert first[0]["terms"] == {"position": 2.5}
    assert first[0]["file"] == "a ä.nrrd"
    assert abs(first[0]["time"] - time.time()) < 60
    assert read_new(an_event_file, position) == ([], position)


def test_no_file_yet_means_no_events(an_event_file: Path) -> None:
    assert read_new(an_event_file) == ([], 0)


def test_an_incomplete_last_line_is_kept_for_next_time(an_event_file: Path) -> None:
    an_event_file.write_bytes('{"kind": "a"}\n{"kind": "ä'.encode()[:-1])
    first, position = read_new(an_event_file)
    an_event_file.write_bytes('{"kind": "a"}\n{"kind": "ä"}\n'.encode())
    second, _ = read_new(an_event_file, position)

    assert (first, second) == ([{"kind": "a"}], [{"kind": "ä"}])


def test_a_line_left_open_by_a_killed_process_does_not_swallow_the_next(an_event_file: Path) -> None:
    an_event_file.write_bytes(b'{"kind": "progr')
    log_event(an_event_file, "start")

    damaged, start = read_new(an_event_file)[0]

    assert damaged == {"kind": "damaged", "text": '{"kind": "progr'}
    assert start["kind"] == "start"


def test_a_file_begun_anew_is_read_from_its_start(an_event_file: Path) -> None:
    log_event(an_event_file, "old", text="long " * 100)
    _, position = read_new(an_event_file)
    an_event_file.unlink()
    log_event(an_event_file, "new")

    assert [event["kind"] for event in read_new(an_event_file, position)[0]] == ["new"]


def test_numbers_that_json_does_not_know_become_null(an_event_file: Path) -> None:
    log_event(an_event_file, "progress", terms={"loss": float("nan"), "rates": [1.0, float("inf")]})

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    event = json.loads(an_event_file.read_text(), parse_constant=refuse)
    assert event["terms"] == {"loss": None, "rates": [1.0, None]}


def test_a_scalar_of_numpy_or_torch_becomes_a_number(an_event_file: Path) -> None:
    class Scalar:
        def item(self) -> float:
            return 0.5

    log_event(an_event_file, "progress", loss=Scalar())

    assert read_new(an_event_file)[0][0]["loss"] == 0.5


def test_two_processes_tell_at_once_without_mixing_letters(an_event_file: Path) -> None:
    commands = [[sys.executable, "-c", TELLER, str(an_event_file), name] for name in "ab"]
    processes = [subprocess.Popen(command) for command in commands]
    assert [process.wait() for process in processes] == [0, 0]

    found, _ = read_new(an_event_file)

    for teller in "ab":
        assert [e["number"] for e in found if e.get("teller") == teller] == list(range(300))
    assert len(found) == 600


@pytest.mark.parametrize(
    ("number", "reason"), [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "the disk is read-only")]
)
def test_a_refusal_of_the_disk_is_said(
    an_event_file: Path, monkeypatch: pytest.MonkeyPatch, number: int, reason: str
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "write", refuse)

    with pytest.raises(CannotWrite, match=f"events.jsonl cannot be written: {reason}"):
        log_event(an_event_file, "start")


def test_a_disk_that_takes_only_a_part_of_a_line_is_full(
    an_event_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = os.write, []

    def nearly_full(descriptor: int, data: bytes) -> int:
        calls.append(data)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data[:5])

    monkeypatch.setattr(os, "write", nearly_full)

    with pytest.raises(CannotWrite, match="the disk is full"):
        log_event(an_event_file, "start")


def test_the_heart_beats_inside_the_block_only(an_event_file: Path) -> None:
    with heartbeat(an_event_file, every_s=0.02):
        wait_for_beats(an_event_file, 3)
    beats, position = read_new(an_event_file)
    time.sleep(0.1)

    assert {(beat["kind"], beat["pid"]) for beat in beats} == {("heartbeat", os.getpid())}
    assert read_new(an_event_file, position) == ([], position)


def test_a_full_disk_does_not_stop_the_heart_but_is_logged_once(
    an_event_file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, refused = events.log_event, []
    with caplog.at_level(logging.WARNING), heartbeat(an_event_file, every_s=0.02):

        def refuse(path: Path, _kind: str, **_facts: object) -> None:
            refused.append(path)
            raise CannotWrite(f"{path} cannot be written: the disk is full.", "Free some space.")

        monkeypatch.setattr(events, "log_event", refuse)
        while len(refused) < 3:
            time.sleep(0.01)
        monkeypatch.setattr(events, "log_event", real)
        wait_for_beats(an_event_file, 2)

    assert caplog.text.count("the disk is full") == 1
