"""A run goes out into one file and comes back whole; nothing else is ever deleted or overwritten."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ContrastiveSegLib.errors import BadFile, BadSetting, CannotWrite
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.slicer_bridge import run_archive
from ContrastiveSegLib.slicer_bridge.run_archive import (
    export_run,
    import_run,
    name_in,
    size_in_words,
    size_of,
)


@pytest.fixture
def a_finished_run(tmp_path: Path) -> RunFolder:
    """Settings, weights, and what can be made anew."""
    run = RunFolder(tmp_path / "heart")
    run.create()
    for name, text in {
        "settings.json": "{}",
        "pretrain/model.safetensors": "weights",
        "annotations/labels/a.seg.nrrd": "labels",
        "prepared/a-0123456789ab.npy": "x" * 1000,
        "panel/process.json": "{}",
        "lock": "1",
    }.items():
        path = run.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return run


def test_export_and_import_bring_everything_that_cannot_be_made_anew(
    a_finished_run: RunFolder, tmp_path: Path
) -> None:
    export_run(a_finished_run, tmp_path / "heart.zip")
    back = import_run(tmp_path / "heart.zip", tmp_path / "colleague")

    files = {path.relative_to(back.path).as_posix() for path in back.path.rglob("*") if path.is_file()}
    assert files == {
        "run.json",
        "settings.json",
        "pretrain/model.safetensors",
        "annotations/labels/a.seg.nrrd",
    }
    assert (back.path / "pretrain" / "model.safetensors").read_text(encoding="utf-8") == "weights"
    assert [path.name for path in back.path.parent.iterdir()] == ["heart"]


def test_nothing_is_overwritten(a_finished_run: RunFolder, tmp_path: Path) -> None:
    file = tmp_path / "heart.zip"
    export_run(a_finished_run, file)

    with pytest.raises(CannotWrite, match=r"heart.zip exists already"):
        export_run(a_finished_run, file)
    with pytest.raises(CannotWrite, match="heart exists already"):
        import_run(file, tmp_path)


@pytest.mark.parametrize(
    "names", [["../evil.txt"], ["/evil.txt"], ["run/readme.txt"], ["a/settings.json", "b/x"], []]
)
def test_what_is_no_exported_run_is_not_unpacked(tmp_path: Path, names: list[str]) -> None:
    file = tmp_path / "other.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "text")

    with pytest.raises(BadFile, match="is no exported run"):
        import_run(file, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "evil.txt").exists()


def test_a_file_that_is_cut_off_is_no_exported_run(a_finished_run: RunFolder, tmp_path: Path) -> None:
    file = tmp_path / "heart.zip"
    export_run(a_finished_run, file)
    file.write_bytes(file.read_bytes()[:-40])

    with pytest.raises(BadFile, match=r"or damaged.*Export the run again"):
        import_run(file, tmp_path / "runs")


def test_what_the_program_did_not_write_is_not_exported(a_finished_run: RunFolder, tmp_path: Path) -> None:
    (a_finished_run.path / "patients.xlsx").write_text("names", encoding="utf-8")
    (a_finished_run.path / "scans").mkdir()
    (a_finished_run.path / "scans" / "one.nrrd").write_text("scan", encoding="utf-8")

    export_run(a_finished_run, tmp_path / "heart.zip")

    with zipfile.ZipFile(tmp_path / "heart.zip") as archive:
        assert not [name for name in archive.namelist() if "scan" in name or "patients" in name]


def _pack(file: Path, **contents: str) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("heart/run.json", '{"program": "ContrastiveSeg", "run_format": 1}')
        for name, text in contents.items():
            archive.writestr(f"heart/{name.replace('__', '/')}", text)


@pytest.mark.parametrize("room", ["panel", "PANEL"])
def test_processes_and_locks_of_another_computer_stay_outside(tmp_path: Path, room: str) -> None:
    _pack(tmp_path / "a.zip", **{f"{room}__process.json": '{"pid": 1}', "lock": "1", "cancel.request": ""})

    run = import_run(tmp_path / "a.zip", tmp_path / "runs")

    assert [path.name for path in run.path.rglob("*")] == ["run.json"]


def test_a_file_that_would_fill_the_disk_is_refused_before_a_byte_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pack(tmp_path / "bomb.zip", log="0" * 50_000_000)
    usage = shutil.disk_usage(tmp_path)._replace(free=run_archive.RESERVE + 49_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    with pytest.raises(CannotWrite, match=r"bomb.zip holds 50.0 MB, but the disk of .* has 585.9 MB free"):
        import_run(tmp_path / "bomb.zip", tmp_path / "runs")

    assert list((tmp_path / "runs").iterdir()) == []


def test_more_than_was_declared_is_never_unpacked(tmp_path: Path) -> None:
    file = tmp_path / "liar.zip"
    _pack(file, log="0" * 50_000_000)
    content = file.read_bytes()
    file.write_bytes(content.replace(struct.pack("<I", 50_000_000), struct.pack("<I", 1000)))

    with pytest.raises(BadFile, match="is no exported run, or damaged"):
        import_run(file, tmp_path / "runs")

    assert list((tmp_path / "runs").iterdir()) == []


def test_an_encrypted_file_is_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "secret.zip"
    _pack(file, log="text")
    content = bytearray(file.read_bytes())
    for start, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.index(start)
        while place >= 0:
            content[place + offset] |= 1
            place = content.find(start, place + 4)
    file.write_bytes(content)

    with pytest.raises(BadFile, match=r"secret.zip is encrypted\. Export the run without a password"):
        import_run(file, tmp_path / "runs")


def test_no_damage_is_more_than_a_sentence(a_finished_run: RunFolder, tmp_path: Path) -> None:
    whole = tmp_path / "heart.zip"
    export_run(a_finished_run, whole)
    content, random = whole.read_bytes(), np.random.default_rng(0)

    for number in range(150):
        damaged = bytearray(content)
        for place in random.integers(len(content), size=random.integers(1, 9)):
            damaged[place] = random.integers(256)
        file = tmp_path / f"{number}.zip"
        file.write_bytes(bytes(damaged[: random.integers(len(content))] if number % 5 == 0 else damaged))
        with contextlib.suppress(BadFile, CannotWrite):
            import_run(file, tmp_path / f"runs{number}")

    names = {path.name for path in tmp_path.rglob("*")}
    assert not [name for name in names if name.startswith(".archive")]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_cancel_leaves_nothing_behind_and_the_next_import_clears_what_a_kill_left(tmp_path: Path) -> None:
    file, runs = tmp_path / "large.zip", tmp_path / "runs"
    _pack(file, **{f"log{n}": str(n) * 30_000_000 for n in range(8)})
    command = [
        sys.executable,
        "-m",
        "ContrastiveSegLib.slicer_bridge.run_archive",
        "import",
        str(file),
        str(runs),
    ]
    for number in (signal.SIGTERM, signal.SIGKILL):
        process = subprocess.Popen(command)
        while not list(runs.glob(".archive-*")):
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(number)
        process.wait(20)
        assert bool(list(runs.iterdir())) == (number == signal.SIGKILL)

    import_run(file, runs)

    assert [path.name for path in runs.iterdir()] == ["heart"]


def test_the_panel_starts_it_as_a_process(a_finished_run: RunFolder, tmp_path: Path) -> None:
    order = tmp_path / "export.json"
    words = [str(a_finished_run.path), str(tmp_path / "out.zip")]
    order.write_text(json.dumps({"export": {"words": words}}), encoding="utf-8")
    command = [sys.executable, "-m", "ContrastiveSegLib.slicer_bridge.run_archive", "export"]
    command += ["--settings", str(order)]

    first = subprocess.run(command, capture_output=True, text=True, check=False)
    second = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (first.returncode, first.stdout.strip()) == (0, str(tmp_path / "out.zip"))
    assert second.returncode == 1
    assert "exists already" in second.stdout


def test_sizes_are_said_in_words(a_finished_run: RunFolder) -> None:
    marker = (a_finished_run.path / "run.json").stat().st_size
    assert size_of(a_finished_run.path) == 2 + 7 + 6 + 1000 + 2 + 1 + marker
    assert [size_in_words(n) for n in (0, 999, 1500, 3_200_000)] == [
        "0 bytes",
        "999 bytes",
        "1.5 kB",
        "3.2 MB",
    ]


def test_a_run_is_imported_under_another_name_when_its_own_is_taken(
    a_finished_run: RunFolder, tmp_path: Path
) -> None:
    export_run(a_finished_run, tmp_path / "heart.zip")
    assert name_in(tmp_path / "heart.zip") == "heart"

    imported = import_run(tmp_path / "heart.zip", tmp_path, name="heart_2")

    assert imported.path == tmp_path / "heart_2"
    assert (imported.pretrain / "model.safetensors").read_text(encoding="utf-8") == "weights"


@pytest.mark.parametrize("name", ["../up", "..", ".", " ", "/up", "a/b", "..\\up", "C:up", "a\0b"])
def test_a_run_is_imported_into_the_folder_that_was_named_alone(
    a_finished_run: RunFolder, tmp_path: Path, name: str
) -> None:
    export_run(a_finished_run, tmp_path / "heart.zip")

    with pytest.raises(BadSetting, match="is no name for a run folder"):
        import_run(tmp_path / "heart.zip", tmp_path / "elsewhere", name=name)

    assert {path.name for path in tmp_path.iterdir()} == {"heart", "heart.zip"}


def test_a_run_that_is_the_current_folder_is_exported_under_its_name(
    a_finished_run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(a_finished_run.path)

    export_run(RunFolder(Path()), tmp_path / "heart.zip")

    assert name_in(tmp_path / "heart.zip") == "heart"


def test_a_file_that_is_no_zip_has_no_name(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"none")

    with pytest.raises(BadFile, match="is no exported run"):
        name_in(tmp_path / "x.zip")


def test_what_a_link_leads_to_is_not_exported(a_finished_run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    annotations = a_finished_run.path / "annotations"
    annotations.mkdir(exist_ok=True)
    (annotations / "link.seg.nrrd").symlink_to(tmp_path / "secret.txt")

    export_run(a_finished_run, tmp_path / "run.zip")

    with zipfile.ZipFile(tmp_path / "run.zip") as archive:
        assert not any("link" in name for name in archive.namelist())


def test_a_file_that_is_not_there_is_no_exported_run(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"nowhere\.zip is no exported run"):
        import_run(tmp_path / "nowhere.zip", tmp_path)
