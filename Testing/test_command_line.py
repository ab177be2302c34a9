"""What a user types becomes settings, and what goes wrong becomes one paragraph and an exit code."""

from __future__ import annotations

import errno
import json
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
from ContrastiveSegLib.command_line import read_order
from ContrastiveSegLib.errors import BadFile, BadSetting, Cancelled
from ContrastiveSegLib.runs.job_settings import JOBS, CaseSelection, Compute, GridSettings, PretrainSettings
from ContrastiveSegLib.runs.method_catalog import ENGINE
from ContrastiveSegLib.runs.run_folder import RunFolder

POSITION = '''
"""Position: slices at the same height attract each other."""
class Settings:
    threshold: Annotated[float, Range(0, 1)] = 0.35
    """How near two heights must be."""
    width: Literal[1, 2] = 1
    """A name that the job has, too."""
'''
LATTICE = '''
"""Lattice: another method."""
class Settings:
    knots: int = 4
    """Knots."""
'''
SUPERVISED = '''
"""Supervised: learn from labels."""
class Settings:
    dropout: float = 0.1
    """Share of features left out."""
'''


@pytest.fixture
def a_catalog_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "engine"
    methods = {
        "pretraining/pcl.py": POSITION,
        "pretraining/lattice.py": LATTICE,
        "finetuning/supervised.py": SUPERVISED,
    }
    for name, text in methods.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


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


def typed(line: str, folder: Path) -> Any:
    return read_order(line.split(), folder=folder).settings


def run_command(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ContrastiveSegLib", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_every_flag_reaches_its_setting(a_catalog_folder: Path) -> None:
    line = (
        "pretrain my_run --images my_images --method pcl --epochs 3 --spacing 1.5 --window -100 400 "
        "--patch 64 96 --only patient0* b --leave-out c --device cpu --threads 2 --threshold 0.1 -v"
    )

    assert typed(line, a_catalog_folder) == PretrainSettings(
        run=Path("my_run"),
        images=Path("my_images"),
        epochs=3,
        grid=GridSettings(spacing=1.5, window=(-100.0, 400.0), patch=(64, 96)),
        cases=CaseSelection(only=("patient0*", "b"), leave_out=("c",)),
        compute=Compute(device="cpu", threads=2),
        options={"threshold": 0.1, "width": 1},
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("check", {}),
        ("scan F --only a", {"folder": Path("F"), "cases": CaseSelection(only=("a",))}),
        ("methods", {}),
        ("finetune R --labeled F", {"start": "", "strategy": "supervised", "options": {"dropout": 0.1}}),
        ("finetune R --labeled F --from none --dropout 0", {"start": "none", "options": {"dropout": 0.0}}),
        ("finetune R --labeled F --from ../other", {"start": "../other"}),
        ("predict R --images F", {"run": Path("R"), "output": None, "uncertainty": True}),
        (
            "predict R --images F --output D --mirror yes --no-uncertainty",
            {"mirror": "yes", "uncertainty": False},
        ),
        ("evaluate --predictions P --labels L --output r.csv", {"output": Path("r.csv")}),
        ("demo", {"data": None, "dataset": "", "folder": Path("demo")}),
        ("demo --data F", {"data": Path("F")}),
    ],
)
def test_the_commands_of_the_manual_are_understood(
    a_catalog_folder: Path, line: str, expected: dict[str, Any]
) -> None:
    settings = typed(line, a_catalog_folder)

    assert type(settings) is JOBS[line.split()[0]]
    assert {name: getattr(settings, name) for name in expected} == expected


def test_blanks_and_umlauts_in_paths_survive(a_catalog_folder: Path) -> None:
    order = read_order(["scan", "/data/Bänder und Müll"], folder=a_catalog_folder)

    assert order.settings.folder == Path("/data/Bänder und Müll")


def test_the_method_decides_which_flags_there_are(a_catalog_folder: Path) -> None:
    settings = typed("pretrain R --images F --method=lattice --knots 7", a_catalog_folder)

    assert (settings.method, settings.options) == ("lattice", {"knots": 7})


def test_a_flag_of_another_method_is_a_usage_error(
    a_catalog_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        typed("pretrain R --images F --method lattice --threshold 0.1", a_catalog_folder)

    assert caught.value.code == 2
    assert "--threshold" in capsys.readouterr().err


def test_a_methods_setting_whose_name_is_taken_carries_the_methods_name(a_catalog_folder: Path) -> None:
    settings = typed("pretrain R --images F --width 8 --pcl-width 2", a_catalog_folder)

    assert (settings.width, settings.options["width"]) == (8, 2)


def test_help_of_a_method_shows_its_settings_with_range_and_default(
    a_catalog_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        typed("pretrain --help --method pcl", a_catalog_folder)

    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert caught.value.code == 0
    assert "--threshold NUMBER How near two heights must be. [pcl] (from 0 to 1) (default: 0.35)" in shown
    assert "--method {lattice,pcl}" in shown
    assert "In-plane spacing in mm; empty: the median of the data." in shown


def test_an_unknown_method_is_named_with_the_closest(a_catalog_folder: Path) -> None:
    with pytest.raises(BadSetting, match=r"no pretraining method 'latice'\. Did you mean 'lattice'"):
        typed("pretrain R --images F --method latice", a_catalog_folder)


def test_a_value_out_of_range_is_named_with_the_range(a_catalog_folder: Path) -> None:
    with pytest.raises(BadSetting, match="'epochs' is 0; allowed is a whole number from 1 to 100000"):
        typed("pretrain R --images F --epochs 0", a_catalog_folder)


def test_flags_are_stronger_than_the_file_and_the_file_than_the_defaults(
    a_catalog_folder: Path, tmp_path: Path
) -> None:
    pretrain = {
        "images": "/from/file",
        "epochs": 7,
        "seed": 5,
        "grid": {"spacing": 2.0, "modality": "ct"},
        "options": {"threshold": 0.2},
    }
    (tmp_path / "s.json").write_text(json.dumps({"pretrain": pretrain, "finetune": {}}))

    settings = typed(f"pretrain R --settings {tmp_path}/s.json --seed 1 --spacing 1", a_catalog_folder)

    assert settings == PretrainSettings(
        run=Path("R"),
        images=Path("/from/file"),
        epochs=7,
        seed=1,
        grid=GridSettings(spacing=1.0, modality="ct"),
        options={"threshold": 0.2, "width": 1},
    )


def test_what_a_run_wrote_down_starts_it_again(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.create()
    first = typed(f"pretrain {run.path} --images F --threshold 0.1 --only a* b", ENGINE)
    run.begin("pretrain", first)

    again = typed(f"pretrain {run.path} --settings {run.settings}", ENGINE)

    assert run.begin("pretrain", again)


def test_options_of_a_file_for_another_method_are_not_taken_over(
    a_catalog_folder: Path, tmp_path: Path
) -> None:
    content = {"pretrain": {"method": "pcl", "options": {"threshold": 0.2}}}
    (tmp_path / "s.json").write_text(json.dumps(content))

    line = f"pretrain R --images F --settings {tmp_path}/s.json"

    assert typed(line, a_catalog_folder).options == {"threshold": 0.2, "width": 1}
    assert typed(f"{line} --method lattice", a_catalog_folder).options == {"knots": 4}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"pretrain": {"epoch": 3}}', r"no setting 'epoch' in .*s\.json. Did you mean 'epochs'"),
        ('{"pretrain": {"epochs": 0}}', r"'epochs' in .*s\.json is 0; allowed is a whole number from 1"),
        (
            '{"pretrain": {"options": {"threshold": 7}}}',
            r"'threshold' in .*s\.json is 7.0; allowed is a number",
        ),
        ('{"finetune": {}}', r"s\.json hold finetune, but nothing for pretrain"),
    ],
)
def test_a_bad_settings_file_is_named(
    a_catalog_folder: Path, tmp_path: Path, content: str, expected: str
) -> None:
    (tmp_path / "s.json").write_text(content)

    with pytest.raises(BadSetting, match=expected):
        typed(f"pretrain R --images F --settings {tmp_path}/s.json", a_catalog_folder)


def test_a_settings_file_that_is_not_there_is_named(a_catalog_folder: Path) -> None:
    with pytest.raises(BadFile, match=r"nowhere\.json cannot be read"):
        typed("pretrain R --images F --settings nowhere.json", a_catalog_folder)


@pytest.mark.parametrize("job", ["", *JOBS])
def test_help_comes_quickly_and_without_torch(job: str) -> None:
    program = (
        "import runpy, sys, time; started = time.perf_counter()\n"
        "try: runpy.run_module('ContrastiveSegLib', run_name='__main__')\n"
        "except SystemExit as exit: code = exit.code\n"
        "heavy = [name for name in ('torch', 'monai', 'numpy') if name in sys.modules]\n"
        "print(code, heavy, time.perf_counter() - started, file=sys.stderr)"
    )
    words = [job, "--help"] if job else ["--help"]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)

    code, heavy, seconds = done.stderr.split()
    assert (code, heavy) == ("0", "[]")
    assert float(seconds) < 2
    assert "usage: python -m ContrastiveSegLib" in done.stdout


@pytest.mark.parametrize("words", [[], ["pretain"], ["scan"], ["scan", "F", "--colour"], ["scan", "F", "G"]])
def test_a_usage_error_exits_with_2(words: list[str]) -> None:
    done = run_command(*words)

    assert done.returncode == 2
    assert done.stderr != ""
    assert done.stdout == ""


def test_methods_lists_kind_name_and_caption_separated_by_tabs() -> None:
    done = run_command("methods")

    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert ["pretraining", "pcl"] in [row[:2] for row in rows]
    assert {len(row) for row in rows} == {3}


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
from ContrastiveSegLib.runs.method_catalog import ENGINE
from ContrastiveSegLib.runs.run_folder import RunFolder

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
