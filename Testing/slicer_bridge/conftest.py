"""A stand-in for the engine, so that processes can be tested in a second and without torch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ContrastiveSegLib.slicer_bridge.engine import Engine
from ContrastiveSegLib.slicer_bridge.process import Job

SCRIPT = """
import os, signal, subprocess, sys, time
sys.path.insert(0, os.getcwd())
import json
from pathlib import Path
from ContrastiveSegLib.runs.events import heartbeat, log_event
from ContrastiveSegLib.runs.run_folder import RunFolder

job, data = sys.argv[1], json.loads(Path(sys.argv[3]).read_text())[sys.argv[1]]
run = RunFolder(Path(data["run"]))
run.create()
if data.get("deaf"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if data.get("child"):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (run.path / "child").write_text(str(child.pid))
with run.lock(), heartbeat(run.events):
    log_event(run.events, "start", job=job)
    print("working on", data.get("word", ""), flush=True)
    for step in range(data.get("steps", 3)):
        log_event(run.events, "progress", job=job, step=step)
        if run.cancel_requested() and not data.get("deaf"):
            log_event(run.events, "end", job=job, outcome="Cancelled", text="saved")
            sys.exit(130)
        time.sleep(0.05)
    log_event(run.events, "end", job=job, outcome="done")
"""


@pytest.fixture
def an_engine(tmp_path: Path) -> Engine:
    """Runs a script that tells of steps, waits, and may be deaf to signals or have a child."""
    script = tmp_path / "engine.py"
    script.write_text(SCRIPT, encoding="utf-8")
    return Engine((sys.executable, "-u", str(script)))


@pytest.fixture
def ended_jobs() -> Iterator[Callable[[Job], Job]]:
    """Keeps jobs and ends their processes when the test is over, whatever happened."""
    jobs: list[Job] = []

    def keep(job: Job) -> Job:
        jobs.append(job)
        return job

    yield keep
    for job in jobs:
        job.end()
        if job.process is not None:
            job.process.wait(10)
