"""Jobs tell which case they read, of how many, before the first step and the first result."""

from __future__ import annotations

from pathlib import Path

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.runs.events import read_new
from ContrastiveSegLib.runs.run_folder import RunFolder


def told(run: Path, job: str) -> list[dict]:
    return [event for event in read_new(RunFolder(run).events)[0] if event.get("job") == job]


def test_preparing_is_counted_case_by_case(a_trained_run: Path) -> None:
    events = told(a_trained_run, "pretrain")

    kinds = [event["kind"] for event in events]
    prepared = [event for event in events if event["kind"] == "prepared"]
    assert kinds.index("preparing") < kinds.index("prepared") < kinds.index("progress")
    assert events[kinds.index("preparing")]["cases"] == len(prepared) == 6
    assert [event["number"] for event in prepared] == [1, 2, 3, 4, 5, 6]


def test_predict_names_each_case_before_its_result(a_run: Path, phantoms: Path) -> None:
    assert main(["predict", str(a_run), "--images", str(phantoms / "test")]) == 0

    found = [
        (event["kind"], event["case"], event.get("number"), event.get("cases"))
        for event in told(a_run, "predict")
        if event["kind"] in ("case", "result") and event.get("case")
    ]
    assert found == [
        ("case", "phantom_003", 1, 2),
        ("result", "phantom_003", None, None),
        ("case", "phantom_004", 2, 2),
        ("result", "phantom_004", None, None),
    ]
