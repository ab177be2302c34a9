"""What the program prints, writes to the log, and ends with: one paragraph and an exit code."""

from __future__ import annotations

import errno
import logging
import os
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.errors import BadFile, Cancelled
from ContrastiveSegLib.file_io import reader
from ContrastiveSegLib.imaging.case_errors import LostCases, attempt
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.settings.job_settings import JOBS


@pytest.fixture
def a_job(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Puts a function in the place of a job; returns the list of settings that the job is called with."""

    def replace(name: str, body: Callable[[Any], None] = lambda _: None) -> list[Any]:
        calls: list[Any] = []
        module = types.ModuleType(name)
        module.run = lambda settings: (calls.append(settings), body(settings))[1]  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, f"ContrastiveSegLib.jobs.{name}", module)
        return calls

    return replace


def failing_with(error: BaseException) -> Callable[[Any], None]:
    def fail(_: Any) -> None:
        raise error

    return fail


def run_command(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ContrastiveSegLib", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_files_are_ready_to_be_read_before_a_job_is_loaded(a_job, monkeypatch, tmp_path) -> None:
    started: list[str] = []
    monkeypatch.setattr(reader, "start_reading", lambda: started.append("reader"))
    a_job("predict", lambda _: started.append("predict"))
    a_job("methods", lambda _: started.append("methods"))

    assert main(["predict", str(tmp_path / "run"), "--images", str(tmp_path)]) == main(["methods"]) == 0

    assert started == ["reader", "predict", "methods"]


# Each of them takes longer to load than a person likes to wait for help.
HEAVY = ("torch", "monai", "numpy", "scipy", "SimpleITK", "skimage", "matplotlib", "highdicom", "pydicom")


@pytest.mark.parametrize("job", ["", *JOBS])
def test_help_loads_no_heavy_package(job: str) -> None:
    program = (
        "import runpy, sys\n"
        "try: runpy.run_module('ContrastiveSegLib', run_name='__main__')\n"
        "except SystemExit as exit: code = exit.code\n"
        f"heavy = [name for name in {HEAVY} if name in sys.modules]\n"
        "print(code, heavy, file=sys.stderr)"
    )
    words = [job, "--help"] if job else ["--help"]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)

    assert done.stderr.split() == ["0", "[]"]
    assert "usage: python -m ContrastiveSegLib" in done.stdout


@pytest.mark.parametrize("words", [[], ["pretain"], ["scan"], ["scan", "F", "--colour"], ["scan", "F", "G"]])
def test_a_usage_error_exits_with_2(words: list[str]) -> None:
    done = run_command(*words)

    assert done.returncode == 2
    assert done.stderr != ""
    assert done.stdout == ""


def test_methods_lists_kind_name_and_caption_separated_by_tabs() -> None:
    done = run_command("methods")

    recommended, compared = done.stdout.removeprefix("# recommended\n").split("# compared methods\n")
    rows = [[line.split("\t") for line in part.splitlines()] for part in (recommended, compared)]
    assert done.returncode == 0
    assert rows[0][0][:2] == ["pretraining", "supercl"]
    assert ["pretraining", "simclr"] in [row[:2] for row in rows[1]]
    assert {len(row) for part in rows for row in part} == {3}


def test_a_job_gets_its_settings_and_success_is_0(a_job: Callable[..., list[Any]]) -> None:
    calls = a_job("scan")

    code = main(["scan", "F"])

    assert code == 0
    assert [settings.folder for settings in calls] == [Path("F")]


def test_an_error_is_one_paragraph_and_1(
    a_job: Callable[..., list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    a_job("scan", failing_with(BadFile("The file a.nii is empty.", "Export it again.")))

    code = main(["scan", "F"])

    assert code == 1
    assert capsys.readouterr().err == "The file a.nii is empty. Export it again.\n"


def test_an_error_before_the_job_is_one_paragraph_and_1(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["check", "--threads", "0"])

    assert code == 1
    assert "'compute.threads' is 0; allowed is a whole number from 1 to 1024" in capsys.readouterr().err


def test_v_adds_the_traceback(a_job: Callable[..., list[Any]], capsys: pytest.CaptureFixture[str]) -> None:
    a_job("scan", failing_with(BadFile("The file a.nii is empty.", "Export it again.")))

    main(["scan", "F", "-v"])

    shown = capsys.readouterr().err
    assert shown.startswith("Traceback")
    assert shown.endswith("\nThe file a.nii is empty. Export it again.\n")


def test_the_traceback_is_always_in_the_log_of_the_run(
    a_job: Callable[..., list[Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail_in_run(settings: Any) -> None:
        RunFolder(settings.run).create()
        logging.getLogger("ContrastiveSegLib.jobs.predict").info("Reading the weights.")
        raise ValueError("oops")

    a_job("predict", fail_in_run)

    code = main(["predict", str(tmp_path / "run"), "--images", "F"])

    log, shown = (tmp_path / "run" / "log.txt").read_text(), capsys.readouterr().err
    assert code == 1
    assert "INFO    Reading the weights." in log
    assert "Traceback" in log
    assert 'raise ValueError("oops")' in log
    assert shown == (
        "Reading the weights.\n"
        "Something unexpected happened: ValueError: oops. "
        "Add -v for the traceback, and report it with log.txt.\n"
    )


def test_a_run_that_was_refused_leaves_no_folder(a_job: Callable[..., list[Any]], tmp_path: Path) -> None:
    a_job("predict", failing_with(BadFile("There is no run.", "Check the path.")))

    main(["predict", str(tmp_path / "run"), "--images", "F"])

    assert list(tmp_path.iterdir()) == []


def test_only_the_first_of_several_processes_writes_the_log(
    a_job: Callable[..., list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    a_job("predict", failing_with(ValueError("oops")))

    main(["predict", str(tmp_path), "--images", "F"])

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "code", "expected"),
    [
        (KeyboardInterrupt(), 130, "Stopped. What was saved before is kept"),
        (Cancelled("Cancelled after 3 steps.", "Start again to go on."), 130, "Cancelled after 3 steps."),
        (OSError(errno.ENOSPC, "No space", "/out/a"), 1, "/out/a cannot be written: the disk is full. Free"),
        (
            ModuleNotFoundError("x", name="torch.nn"),
            1,
            "package 'torch' is not installed. Run: python -m pip",
        ),
        (MemoryError(), 1, "Something unexpected happened: MemoryError. Add -v"),
    ],
)
def test_other_ends_have_their_own_words(
    a_job: Callable[..., list[Any]],
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    expected: str,
) -> None:
    a_job("scan", failing_with(error))

    assert main(["scan", "F"]) == code
    assert expected in capsys.readouterr().err


WORKER = """
import sys, time, types
from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.errors import Cancelled
from ContrastiveSegLib.settings.method_catalog import ENGINE
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.imaging.case_errors import LostCases, attempt

def run(settings):
    folder = RunFolder(settings.run)
    folder.create()
    with folder.lock():
        print("working", flush=True)
        for _ in range(1000):
            time.sleep(0.02)
            if folder.cancel_requested() and "deaf" not in settings.images.name:
                raise Cancelled("Everything is saved.", "Start again to go on.")

job = types.ModuleType("predict")
job.run = run
sys.modules["ContrastiveSegLib.jobs.predict"] = job
sys.exit(main(sys.argv[1:]))
"""


def start_worker(run: Path, images: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, "predict", str(run), "--images", images]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signals to one process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_interrupt_lets_the_job_save(tmp_path: Path, number: signal.Signals) -> None:
    process = start_worker(tmp_path / "run", "F")

    os.kill(process.pid, number)
    _, shown = process.communicate(timeout=20)

    assert process.returncode == 130
    assert "press Ctrl-C again to stop at once" in shown
    assert shown.endswith("Everything is saved. Start again to go on.\n")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signals to one process")
def test_the_second_interrupt_stops_at_once(tmp_path: Path) -> None:
    process = start_worker(tmp_path / "run", "deaf")
    run = RunFolder(tmp_path / "run")

    os.kill(process.pid, signal.SIGINT)
    while not run.cancel_requested():
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    _, shown = process.communicate(timeout=20)

    assert process.returncode == 130
    assert "Stopped. What was saved before is kept" in shown


@pytest.mark.parametrize(
    ("lost", "code"), [(LostCases(2, 3), 3), (LostCases(1, 2), 0), (LostCases(), 0), (None, 0)]
)
def test_a_job_that_lost_most_of_its_cases_exits_with_3(
    a_job: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch, lost: LostCases | None, code: int
) -> None:
    a_job("scan")
    monkeypatch.setattr(sys.modules["ContrastiveSegLib.jobs.scan"], "run", lambda _: lost)

    assert main(["scan", "F"]) == code


@pytest.mark.parametrize(("words", "shown"), [([], False), (["-v"], True)])
def test_v_shows_why_a_single_case_failed(
    a_job: Callable[..., list[Any]], capsys: pytest.CaptureFixture[str], words: list[str], shown: bool
) -> None:
    a_job("scan", lambda _: attempt("case1", failing_with(ValueError("oops")), None) and None)

    assert main(["scan", "F", *words]) == 0
    assert ("ValueError: oops" in capsys.readouterr().err) is shown


def test_a_refused_job_writes_no_log_into_a_folder_that_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "scan.nii.gz").write_text("a scan")

    code = main(["pretrain", str(tmp_path), "--images", str(tmp_path)])

    assert code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["scan.nii.gz"]
