"""A run folder that is moved away under its job is neither made again nor mixed with the one in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from ContrastiveSegLib.errors import CannotWrite
from ContrastiveSegLib.runs.atomic_write import make_folder, write_atomically
from ContrastiveSegLib.runs.events import log_event
from ContrastiveSegLib.runs.held_locks import held_locks
from ContrastiveSegLib.runs.run_folder import RunFolder

MOVED = "was moved, deleted or replaced while this job worked in it; nothing more is written"


def _write_everything(run: RunFolder) -> None:
    for write in (
        lambda: make_folder(run.pretrain),
        lambda: write_atomically(run.pretrain / "last", "state"),
        lambda: log_event(run.events, "progress"),
        lambda: run.request_cancel(),
    ):
        with pytest.raises(CannotWrite, match=MOVED):
            write()


def test_a_moved_folder_is_not_made_again(a_run: RunFolder, tmp_path: Path) -> None:
    with a_run.lock():
        make_folder(a_run.pretrain)
        a_run.path.rename(tmp_path / "moved")
        _write_everything(a_run)

    assert not a_run.path.exists()
    assert held_locks() == ()


def test_a_new_run_in_the_old_place_is_not_written_to(a_run: RunFolder, tmp_path: Path) -> None:
    with a_run.lock():
        a_run.path.rename(tmp_path / "moved")
        new = RunFolder(a_run.path)
        new.path.mkdir()
        write_of_new = new.lock_file
        write_of_new.write_text("1")
        _write_everything(a_run)

    assert [path.name for path in new.path.iterdir()] == ["lock"]


def test_a_run_reached_through_a_link_is_followed(a_run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(a_run.path)
    linked = RunFolder(tmp_path / "link")
    with linked.lock():
        write_atomically(linked.log, "fine")
        a_run.path.rename(tmp_path / "moved")
        _write_everything(linked)

    assert held_locks() == ()


def test_writing_elsewhere_is_not_hindered(a_run: RunFolder, tmp_path: Path) -> None:
    with a_run.lock():
        a_run.path.rename(tmp_path / "moved")
        write_atomically(tmp_path / "report.csv", "fine")

    assert (tmp_path / "report.csv").read_text() == "fine"
