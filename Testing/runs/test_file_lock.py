"""A lock keeps others out while its holder lives, and no longer."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ContrastiveSegLib.errors import CannotWrite, RunInUse
from ContrastiveSegLib.runs import file_lock
from ContrastiveSegLib.runs.file_lock import held_locks, hold

HOLDER = """
import os, sys, time
from pathlib import Path
from ContrastiveSegLib.runs.file_lock import hold
with hold(Path(sys.argv[1])):
    child = os.fork() if sys.argv[2] == "fork" else 1
    if child == 0:
        time.sleep(20)
        os._exit(0)
    print(child, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def a_lock_file(tmp_path: Path) -> Path:
    return tmp_path / "lock"


def start_holder(path: Path, how: str = "alone") -> subprocess.Popen[str]:
    """Another process that holds the lock; returns once it does."""
    command = [sys.executable, "-c", HOLDER, str(path), how]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def a_holder(a_lock_file: Path) -> Iterator[subprocess.Popen[str]]:
    with start_holder(a_lock_file) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_another_process_is_kept_out_and_told_who_is_there(
    a_lock_file: Path, a_holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(RunInUse) as caught, hold(a_lock_file):
        pass

    assert str(caught.value) == (
        f"Another job is working in {a_lock_file.parent}: process {a_holder.pid} on {socket.gethostname()}. "
        "Wait until it has finished, or stop it, then start again."
    )


def test_a_killed_process_holds_nothing(a_lock_file: Path, a_holder: subprocess.Popen[str]) -> None:
    a_holder.kill()
    a_holder.wait()

    with hold(a_lock_file):
        assert a_lock_file.read_text().split()[0] == str(os.getpid())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forked workers exist on Linux and macOS only")
def test_a_worker_that_outlives_its_killed_parent_holds_nothing(a_lock_file: Path) -> None:
    with start_holder(a_lock_file, "fork") as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        process.kill()
        process.wait()
        os.kill(worker, 0)  # fails if the worker is gone, and the test would show nothing

        try:
            with hold(a_lock_file):
                assert held_locks() == (a_lock_file,)
        finally:
            os.kill(worker, 9)


def test_the_same_process_is_kept_out_too(a_lock_file: Path) -> None:
    with (
        hold(a_lock_file),
        pytest.raises(RunInUse, match=f"process {os.getpid()}"),
        hold(a_lock_file),
    ):
        pass

    assert held_locks() == ()


def test_the_lock_is_free_after_the_block_and_after_an_error_in_it(a_lock_file: Path) -> None:
    with pytest.raises(ValueError, match="inside"), hold(a_lock_file):
        raise ValueError("inside")

    with hold(a_lock_file):
        assert held_locks() == (a_lock_file,)
    assert held_locks() == ()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="its folder does not exist"), hold(tmp_path / "none" / "lock"):
        pass


def test_a_disk_without_locks_is_said(a_lock_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(file_lock, "_take", refuse)

    with pytest.raises(CannotWrite, match="the system says: No locks available"), hold(a_lock_file):
        pass
