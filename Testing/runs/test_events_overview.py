"""A run of a week is looked at in a moment: curves over all of it, and the end in full."""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path

import pytest

from ContrastiveSegLib.runs.events import log_event, read_new
from ContrastiveSegLib.runs.events_overview import WHOLE, overview

LINES = 1_000_000


@pytest.fixture(scope="module")
def a_week(tmp_path_factory) -> Path:
    """A million events, as a training tells them: one of progress each second, now and then others."""
    path = tmp_path_factory.mktemp("week") / "events.jsonl"
    progress = {"kind": "progress", "job": "pretrain", "steps": LINES, "terms": {"pcl": 1.25}, "lr": 3e-4}
    facts = json.dumps(progress | {"watched": {"spread": 0.1}, "images_per_s": 99.5, "eta_s": 100.5})[1:]
    validation = json.dumps({"kind": "validation", "job": "finetune", "dice": {"liver": 0.5}})[1:]
    with path.open("w", encoding="utf-8") as file:
        for n in range(LINES):
            file.write(f'{{"time": {n}, "step": {n}, {validation if n % 100 == 99 else facts}\n')
        file.write('{"time": 1000000, "kind": "end", "job": "pretrain", "outcome": "done"}\n')
    return path


def test_a_million_events_are_looked_at_in_a_moment(a_week: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.process_time()  # which other work on the machine does not lengthen
    events, position = overview(a_week)
    took_s = time.process_time() - begin
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024

    assert len(events) < LINES / 100
    assert took_s < 0.1
    assert grown_mb < 50
    assert position == a_week.stat().st_size
    assert events[-1]["outcome"] == "done"
    assert not [event for event in events if event["kind"] == "damaged"]
    steps = [event["step"] for event in events if event["kind"] == "progress"]
    assert steps == sorted(set(steps))
    assert max(b - a for a, b in zip([0, *steps], [*steps, LINES], strict=True)) < LINES / 100
    assert len([event for event in events if event["kind"] == "validation"]) > 20
    assert [event["step"] for event in events[-300:-1]] == list(range(LINES - 299, LINES))


def test_what_is_told_afterwards_follows(a_week: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(a_week.read_bytes()[: 3 * WHOLE])
    _, position = overview(path)
    log_event(path, "note", text="later")

    events, end = overview(path, position)

    assert events[-1]["text"] == "later"
    assert end == path.stat().st_size


def test_a_short_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for n in range(50):
        log_event(path, "progress", step=n)

    assert overview(path) == read_new(path)
    assert overview(path, 100) == read_new(path, 100)
    assert overview(tmp_path / "missing") == ([], 0)


@pytest.mark.parametrize(
    "line",
    [
        '{"kind": 3}',
        '{"kind": "progress", "step": null, "steps": 3}',
        '{"kind": "progress", "step": 1, "steps": "many"}',
        '{"kind": "progress", "step": NaN, "steps": 3}',
        '{"kind": "progress", "step": 1, "steps": 3, "terms": [1]}',
        '{"kind": "validation", "step": 1, "dice": {"liver": "good"}}',
        '{"kind": "note", "time": "now"}',
        "[" * 100_000,
    ],
)
def test_events_that_lack_what_curves_need_are_damaged(tmp_path: Path, line: str) -> None:
    (tmp_path / "events.jsonl").write_text(f"{line}\n", encoding="utf-8")

    assert read_new(tmp_path / "events.jsonl")[0] == [{"kind": "damaged", "text": line}]
