"""A job is a process: started, read, cancelled, found again, and noticed when it dies."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ContrastiveSegLib.errors import BadFile, CannotWrite, RunInUse
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.slicer_bridge import process, process_identity
from ContrastiveSegLib.slicer_bridge.engine import Engine
from ContrastiveSegLib.slicer_bridge.process import Job
from ContrastiveSegLib.slicer_bridge.process_tree import end_tree, is_alive

Keep = Callable[[Job], Job]


def _until(condition: Callable[[], Any], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def _start(run: RunFolder, engine: Engine, keep: Keep, **settings: Any) -> Job:
    data = {"run": str(run.path), **settings}
    return keep(process.start("pretrain", data, engine, run=run, folder=run.panel))


def test_a_job_tells_its_own_events_only_and_leaves_its_output(
    tmp_path: Path, an_engine: Engine, ended_jobs: Keep
) -> None:
    run = RunFolder(tmp_path / "run with blanks, ü")
    first = _start(run, an_engine, ended_jobs)
    _until(lambda: not first.is_running())
    first.close()

    second = _start(run, an_engine, ended_jobs, word="Größe")
    _until(lambda: not second.is_running())
    events = second.new_events()

    assert [event["kind"] for event in events if event["kind"] != "heartbeat"] == [
        "start",
        *["progress"] * 3,
        "end",
    ]
    assert "working on Größe" in second.tail()
    assert second.process is not None
    assert second.process.returncode == 0


def test_starting_does_not_wait_for_the_job(tmp_path: Path, an_engine: Engine, ended_jobs: Keep) -> None:
    begin = time.monotonic()

    job = _start(RunFolder(tmp_path / "run"), an_engine, ended_jobs, steps=1000)

    assert time.monotonic() - begin < 1.0
    assert job.is_running()


def test_a_second_job_in_the_same_run_is_refused(tmp_path: Path, an_engine: Engine, ended_jobs: Keep) -> None:
    run = RunFolder(tmp_path / "run")
    job = _start(run, an_engine, ended_jobs, steps=1000)

    with pytest.raises(RunInUse, match=f"'pretrain' \\(process {job.pid}\\) still works.*Wait until"):
        _start(run, an_engine, ended_jobs)


def test_cancel_lets_the_job_save_and_leave(tmp_path: Path, an_engine: Engine, ended_jobs: Keep) -> None:
    job = _start(RunFolder(tmp_path / "run"), an_engine, ended_jobs, steps=1000)
    _until(job.new_events)

    job.cancel()
    _until(lambda: job.enforce_cancel(grace_s=30) or not job.is_running())

    assert job.new_events()[-1]["outcome"] == "Cancelled"
    assert job.process is not None
    assert job.process.returncode == 130


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_deaf_job_is_ended_with_its_children_after_the_grace_time(
    tmp_path: Path, an_engine: Engine, ended_jobs: Keep
) -> None:
    run = RunFolder(tmp_path / "run")
    job = _start(run, an_engine, ended_jobs, steps=1000, deaf=True, child=True)
    _until(job.new_events)
    child = int((run.path / "child").read_text())
    assert is_alive(child)

    job.cancel()
    job.enforce_cancel(grace_s=30)
    assert job.is_running()  # within the grace time nothing is ended
    _until(lambda: job.enforce_cancel(grace_s=0.1, last_grace_s=0.1) or not job.is_running())
    _until(lambda: not is_alive(child))

    assert job.process is not None
    assert job.process.returncode == -signal.SIGKILL


def test_a_running_job_is_found_again_and_its_events_from_the_start(
    tmp_path: Path, an_engine: Engine, ended_jobs: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STARTUP_S", 0.0)  # so that the lock has to say whether it works
    run = RunFolder(tmp_path / "run")
    job = _start(run, an_engine, ended_jobs, steps=1000)
    _until(job.new_events)

    found = process.find(run.panel, run=run)

    assert found is not None
    assert (found.name, found.pid, found.process) == ("pretrain", job.pid, None)
    assert found.new_events()[0]["kind"] in ("heartbeat", "start")
    found.cancel()
    _until(lambda: not job.is_running())
    assert not found.is_running()
    assert process.find(run.panel, run=run) is None


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_killed_job_is_noticed_and_leaves_the_run_usable(
    tmp_path: Path, an_engine: Engine, ended_jobs: Keep
) -> None:
    run = RunFolder(tmp_path / "run")
    job = _start(run, an_engine, ended_jobs, steps=1000)
    _until(job.new_events)

    os.kill(job.pid, signal.SIGKILL)
    _until(lambda: not job.is_running())

    assert process.find(run.panel, run=run) is None
    assert process.last(run.panel, run=run) is not None  # its state says that it did not come to its end
    again = _start(run, an_engine, ended_jobs)
    _until(lambda: not again.is_running())
    assert again.new_events()[-1]["outcome"] == "done"


def test_another_process_with_the_same_id_is_not_taken_for_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STARTUP_S", 0.0)
    run = RunFolder(tmp_path / "run")
    run.panel.mkdir(parents=True)
    mine = f'{{"job": "pretrain", "pid": {os.getpid()}, "position": 0, "started": 0, "run": true}}'
    (run.panel / "process.json").write_text(mine, encoding="utf-8")
    run.lock_file.write_text("", encoding="utf-8")

    assert process.find(run.panel, run=run) is None


def test_half_written_state_is_no_job(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.panel.mkdir(parents=True)
    (run.panel / "process.json").write_text('{"job": "pre', encoding="utf-8")

    assert process.last(run.panel, run=run) is None


def test_a_run_folder_that_is_moved_away_is_noticed(
    tmp_path: Path, an_engine: Engine, ended_jobs: Keep
) -> None:
    run = RunFolder(tmp_path / "run")
    job = _start(run, an_engine, ended_jobs, steps=1000)
    _until(job.new_events)

    run.path.rename(tmp_path / "elsewhere")

    assert job.is_folder_gone()
    assert job.new_events() == []
    job.cancel()  # nowhere to write the request: a signal has to do
    _until(lambda: job.enforce_cancel(last_grace_s=0.5) or not job.is_running())


def test_a_program_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")

    with pytest.raises(
        BadFile, match=r"nowhere/python cannot be started: No such file.*Choose another Python"
    ):
        process.start("check", {}, Engine(("nowhere/python",)), folder=run.panel)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs a user without all rights")
def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path, an_engine: Engine) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(CannotWrite, match="no permission"):
        process.start("check", {}, an_engine, folder=tmp_path / "panel")
    tmp_path.chmod(0o700)


@pytest.fixture
def a_stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process of somebody else, which leads its own session as a job would."""
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    yield stranger
    stranger.kill()
    stranger.wait(10)


def _write_state(run: RunFolder, **changes: Any) -> None:
    run.panel.mkdir(parents=True, exist_ok=True)
    state = {"job": "pretrain", "pid": 1, "position": 0, "started": time.time(), "run": True, **changes}
    (run.panel / "process.json").write_text(json.dumps(state), encoding="utf-8")


@pytest.mark.parametrize(
    "changes",
    [
        {"started": 0},  # the id was given to somebody else since
        {"started": float("nan")},
        {"words": ["python", "-m", "ContrastiveSegLib", "pretrain", "--settings", "order.json"]},
    ],
)
def test_a_stranger_with_the_id_of_a_job_is_never_ended(
    tmp_path: Path, a_stranger: subprocess.Popen[bytes], changes: dict[str, Any]
) -> None:
    run = RunFolder(tmp_path / "run")
    run.create()
    _write_state(run, pid=a_stranger.pid, **changes)
    job = process.last(run.panel, run=run)
    assert job is not None

    found = process.find(run.panel, run=run)
    job.cancel()
    for _ in range(3):
        job.enforce_cancel(grace_s=-1, last_grace_s=-1)
        job._signal(at_once=True)
    job.end()
    time.sleep(0.2)

    assert found is None
    assert a_stranger.poll() is None


@pytest.mark.parametrize(
    "pid", [0, -1, pytest.param(-os.getpid(), id="own group"), 2**31, 2**70, "x", None, 1e400, True]
)
def test_ids_that_are_none_are_no_job(tmp_path: Path, pid: Any) -> None:
    run = RunFolder(tmp_path / "run")
    _write_state(run, pid=pid)

    assert process.find(run.panel, run=run) is None
    end_tree(
        pid if isinstance(pid, int) and pid < 1 else 0, at_once=True
    )  # ends nobody, this test least of all


@pytest.mark.parametrize(
    "text", ["[]", "null", '"text"', '{"job": []}', "{}", '{"job": "../../x", "pid": 1}']
)
def test_damaged_state_is_no_job(tmp_path: Path, text: str) -> None:
    run = RunFolder(tmp_path / "run")
    run.panel.mkdir(parents=True)
    (run.panel / "process.json").write_text(text, encoding="utf-8")

    assert process.last(run.panel, run=run) is None


def test_every_way_to_ask_the_system_knows_a_process() -> None:
    ways = [process_identity._from_psutil]
    ways += [process_identity._from_proc] if Path("/proc/self/stat").exists() else []
    ways += [process_identity._from_ps] if shutil.which("ps") else []
    words = [sys.executable, "-c", "print(flush=True); input()", "a", "sentence"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()  # while it begins, the system may not know its words
        found = [way(child.pid) for way in ways]
        child.communicate(b"\n")

    assert all(identity is not None for identity in found)
    starts = [identity.started for identity in found if identity]
    assert max(starts) - min(starts) < process_identity.TOLERANCE_S
    assert all(" ".join(identity.words).endswith("input() a sentence") for identity in found if identity)
