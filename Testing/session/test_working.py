"""However a job ends, the reason is told: a moved folder, a lock or a full disk never hide it."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import pytest

from ContrastiveSegLib.errors import BadFile, CannotWrite, RunInUse
from ContrastiveSegLib.runs.events import read_new
from ContrastiveSegLib.runs.file_lock import hold
from ContrastiveSegLib.session import reporter
from ContrastiveSegLib.session.reporter import working
from ContrastiveSegLib.training.checkpoint import save_state


def _work(run, work) -> None:
    with working(run, "pretrain"):
        work()


def test_a_folder_moved_away_ends_the_job_and_stays_away(a_run_folder, tmp_path):
    def work():
        a_run_folder.path.rename(tmp_path / "moved")
        save_state(a_run_folder.pretrain / "last", {"step": 1})

    with pytest.raises(CannotWrite, match=r"was moved, deleted or replaced.*Start it again with"):
        _work(a_run_folder, work)

    assert not a_run_folder.path.exists()


def test_whatever_else_goes_wrong_then_the_move_is_what_is_said(a_run_folder, tmp_path):
    def work():
        a_run_folder.path.rename(tmp_path / "moved")
        raise FileNotFoundError("prepared/a.npy")

    with pytest.raises(CannotWrite, match="was moved") as caught:
        _work(a_run_folder, work)

    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_a_full_disk_does_not_hide_the_reason(a_run_folder, monkeypatch):
    def refuse(*_args, **_facts):
        raise CannotWrite("events.jsonl cannot be written: the disk is full.", "Free some space.")

    def work():
        monkeypatch.setattr(reporter, "log_event", refuse)
        raise BadFile("the real reason.", "Mend it.")

    with pytest.raises(BadFile, match="the real reason"):
        _work(a_run_folder, work)


def test_a_run_in_use_or_read_only_will_do_for_reading(a_run_folder, caplog):
    caplog.set_level(logging.INFO, "ContrastiveSegLib")
    with hold(a_run_folder.lock_file), working(a_run_folder, "predict", may_only_read=True) as reporter:
        reporter.info("done")
        elsewhere = reporter.run.path
    assert "is only read, and nothing is written there: Another job is working in" in caplog.text
    assert not elsewhere.exists()
    assert read_new(a_run_folder.events)[0] == []

    with hold(a_run_folder.lock_file), pytest.raises(RunInUse), working(a_run_folder, "predict"):
        pass

    a_run_folder.lock_file.unlink()
    a_run_folder.lock_file.mkdir()  # cannot be opened for writing
    with working(a_run_folder, "predict", may_only_read=True) as reporter:
        assert reporter.run.path != a_run_folder.path


def test_unfinished_files_of_a_killed_job_are_removed_at_the_next_start(a_run_folder):
    left: list[Path] = []
    unfinished = (
        f".{'a' * 32}.tmp",
        f"pretrain/.{'b' * 32}.tmp",
        "predictions/.partial-0123456789ab.mha",
        "predictions_refined/.partial-0123456789ab.seg.nrrd",
        f"finetune/01/.{'a' * 32}.tmp",
        f"finetune/01/self_training/00/.{'a' * 32}.tmp",
        "finetune/01/self_training/00/pseudo_labels/case-0123456789ab.part.npy",
    )
    for name in ("x/y", *unfinished):
        path = a_run_folder.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("half")
        os.utime(path, (time.time() - 60, time.time() - 60))
        left.append(path)
    fresh = a_run_folder.path / f".{'c' * 32}.tmp"
    fresh.write_text("of another program that writes just now")

    with working(a_run_folder, "pretrain"):
        pass

    assert [path.exists() for path in left] == [True] + [False] * len(unfinished)
    assert fresh.exists()
