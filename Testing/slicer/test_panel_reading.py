"""A folder is read beside the window, which never stands still: progress, stopping, and what went wrong."""

from __future__ import annotations

import json
import os
import sys
import textwrap
import time
from pathlib import Path

import pytest

from ContrastiveSegLib.slicer_bridge import process
from ContrastiveSegLib.slicer_bridge.engine import Engine
from Testing.slicer.measure_pauses import Pauses

LONGEST_PAUSE = 0.1  # of all that is computed
SLOW_DISK = """
import os, time
scandir = os.scandir
def slow(path="."):
    if {folder!r} in str(path):
        time.sleep(0.3)
    return scandir(path)
os.scandir = slow
"""


@pytest.fixture
def listed():
    """None: here the process that reads a folder is what is tested, not its answers of before."""


@pytest.fixture
def a_slow_disk(phantoms, monkeypatch, tmp_path):
    """Every look into a folder of the data takes a third of a second, in whatever process looks."""
    looks, scandir = [], os.scandir

    def slow(path="."):
        if str(phantoms) in str(path):
            looks.append(path)
        return scandir(path)

    place = tmp_path / "site"
    place.mkdir()
    (place / "sitecustomize.py").write_text(textwrap.dedent(SLOW_DISK).format(folder=str(phantoms)))
    monkeypatch.setenv("PYTHONPATH", str(place))
    monkeypatch.setattr(os, "scandir", slow)
    return looks


def _answering(monkeypatch, code: str) -> None:
    """Let another program take the place of the one that lists folders."""
    start = process.start

    def instead(name, settings, engine, **options):
        return start(name, settings, Engine((sys.executable, "-c", code)), **options)

    monkeypatch.setattr(process, "start", instead)


def test_a_slow_disk_is_not_waited_for(a_quick_panel, phantoms, a_slow_disk):
    panel = a_quick_panel

    panel.ui.dataFolder.currentPath = str(phantoms)

    assert panel.state("data") == "working"
    assert "looking through the folder" in panel.ui.dataState.text
    assert not panel.child("scanCancel").isHidden()
    panel.wait(lambda: not panel.panel.data.reader.isReading)
    assert a_slow_disk == []  # this process did not look into the folder at all
    assert len(panel.panel.data.reader.cases) == 6
    assert panel.child("scanCancel").isHidden()


def test_reading_can_be_stopped_and_keeps_what_was_found(a_quick_panel, phantoms, tmp_path, monkeypatch):
    panel = a_quick_panel
    lines = [_case(n) for n in range(3)] + [{"kind": "found", "cases": 3}, _geometry(0)]
    _answering(monkeypatch, _writer(lines, tmp_path, end="time.sleep(60)"))
    panel.choose_later(phantoms, tmp_path / "run")
    panel.wait(lambda: panel.panel.data.reader.headersRead == 1)
    assert "reading headers: 1 of 3" in panel.ui.dataState.text
    assert (panel.child("scanProgress").value, panel.child("scanProgress").maximum) == (1, 3)
    job = panel.panel.data.reader._job

    panel.child("scanCancel").click()

    assert "stopped: 1 of 3 headers were read" in panel.ui.dataState.text
    panel.wait(lambda: not job.is_running())
    panel.wait(lambda: panel.ui.caseTable.rowCount == 3)
    assert panel.child("scanProgress").isHidden()


def test_another_folder_ends_the_reading_of_the_first(a_quick_panel, phantoms, tmp_path, monkeypatch):
    panel = a_quick_panel
    _answering(monkeypatch, "import time; time.sleep(60)")
    panel.ui.dataFolder.currentPath = str(tmp_path)
    job = panel.panel.data.reader._job
    monkeypatch.undo()

    panel.ui.dataFolder.currentPath = str(phantoms)
    panel.wait(lambda: not panel.panel.data.reader.isReading)

    assert not job.is_running()
    assert not job.folder.exists()
    assert len(panel.panel.data.reader.cases) == 6


@pytest.mark.parametrize(
    ("lines", "end", "said"),
    [
        ([], "os.abort()", "was not read to its end: the reader ended"),
        ([{"kind": "error", "text": "GDCM: no such tag."}, {"kind": "end"}], "", "GDCM: no such tag."),
        (["case", {"kind": "found", "cases": 1}], "os.abort()", "the reader ended at /data/case_0.nrrd"),
    ],
)
def test_whatever_ends_the_reader_is_the_state_of_the_step(
    a_quick_panel, phantoms, tmp_path, monkeypatch, lines, end, said
):
    panel = a_quick_panel
    lines = [_case(0) if line == "case" else line for line in lines]
    _answering(monkeypatch, _writer(lines, tmp_path, end=end))

    panel.choose(phantoms, tmp_path / "run")

    assert panel.state("data") == "failed"
    assert said in panel.ui.dataState.text
    assert panel.slicer.errors == []


def test_a_folder_that_cannot_be_opened_is_a_sentence(a_quick_panel, tmp_path):
    a_quick_panel.choose(tmp_path / "none", tmp_path / "run")

    assert a_quick_panel.state("data") == "failed"
    assert "does not exist" in a_quick_panel.ui.dataState.text


def test_ten_thousand_cases_never_stop_the_window_for_long(a_quick_panel, tmp_path, monkeypatch):
    panel, count = a_quick_panel, 10_000
    lines = [_case(n) for n in range(count)] + [{"kind": "found", "cases": count}]
    lines += [_geometry(n) for n in range(count)]
    lines += [{"kind": "grid", "plane": "axial", "slices": 10 * count}, {"kind": "end"}]
    _answering(monkeypatch, _writer(lines, tmp_path))
    pauses = Pauses(panel.slicer.process_events)

    began = time.process_time()
    with pauses.during("read 10000 cases"):
        panel.choose(tmp_path, tmp_path / "run")
        panel.wait(lambda: not panel.panel.data.table.isFilling, 120)
    with pauses.during("look again"):
        panel.panel.refresh()

    assert panel.ui.caseTable.rowCount == count
    assert "Spacing: 1 x 1 x 2.5 mm" in panel.ui.caseTable.item(count - 1, 0).toolTip()
    assert "10000 cases" in panel.ui.dataState.text
    # What this process computed without a pause, as a part of all: test computers differ, and are busy.
    computed = time.process_time() - began
    assert max(longest for _wall, longest in pauses.found.values()) < LONGEST_PAUSE * computed


def _case(number: int) -> dict:
    name = f"case_{number}"
    none = {
        "labels": None,
        "scribbles": None,
        "patient": name,
        "last_axis_is_channels": False,
        "ignored": None,
    }
    return {"kind": "case", "name": name, "images": [f"/data/{name}.nrrd"], **none}


def _geometry(number: int) -> dict:
    place = {"origin": [0, 0, 0], "direction": [1, 0, 0, 0, 1, 0, 0, 0, 1]}
    return {
        "kind": "geometry",
        "name": f"case_{number}",
        "size": [64, 64, 10],
        "spacing": [1, 1, 2.5],
        **place,
    }


def _writer(lines: list[dict], folder: Path, *, end: str = "") -> str:
    """A program that writes these lines where the panel reads them."""
    source = folder / "lines.jsonl"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return (
        "import json, os, sys, time, pathlib\n"
        "order = json.load(open(sys.argv[3]))['list']\n"
        f"pathlib.Path(order['listing']).write_text(pathlib.Path({str(source)!r}).read_text())\n"
        f"{end}\n"
    )
