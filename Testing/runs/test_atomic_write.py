"""A file is written completely or not at all, and the reason is said."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ContrastiveSegLib import disk
from ContrastiveSegLib.disk import cannot_write
from ContrastiveSegLib.errors import CannotWrite
from ContrastiveSegLib.runs.atomic_write import make_folder, write_atomically
from ContrastiveSegLib.runs.run_folder import RunFolder


def failing(number: int) -> Any:
    """A stand-in for a call to the operating system that refuses."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


def test_text_and_bytes_arrive(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a ä.txt", "größer\n")
    write_atomically(tmp_path / "b.bin", b"\x00\r\n")

    assert (tmp_path / "a ä.txt").read_bytes() == "größer\n".encode()
    assert (tmp_path / "b.bin").read_bytes() == b"\x00\r\n"


def test_an_old_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.txt", "old and long")
    write_atomically(tmp_path / "a.txt", "new")

    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "new")]


def test_others_may_read_the_file_as_the_system_is_set_up(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    write_atomically(tmp_path / "ours", "text")

    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_the_longest_name_allowed_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    write_atomically(path, "text")

    assert path.read_text() == "text"


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "the disk is full. Free some space or choose another folder"),
        (errno.EROFS, "the disk is read-only. Choose a folder that you may write to"),
        (errno.EACCES, "you have no permission to write there. Choose a folder"),
        (errno.EIO, "the system says: Input/output error. Choose another folder"),
    ],
)
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_refusal_leaves_the_old_file_untouched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, reason: str
) -> None:
    write_atomically(tmp_path / "a.txt", "old")
    if call == "fsync":
        monkeypatch.setattr(os, "fsync", failing(number))
    else:
        monkeypatch.setattr(Path, "replace", failing(number))

    with pytest.raises(CannotWrite, match=f"a.txt cannot be written: {reason}"):
        write_atomically(tmp_path / "a.txt", "new")

    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "old")]


def test_a_name_that_is_too_long_is_said(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match=r"its name is too long\. Choose a shorter name"):
        write_atomically(tmp_path / ("x" * 300), "text")


def test_a_folder_that_does_not_exist_is_said(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match=r"its folder does not exist\. Create the folder"):
        write_atomically(tmp_path / "nowhere" / "a.txt", "text")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows synchronizes no folders")
def test_a_disk_that_cannot_synchronize_folders_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, folders = os.fsync, []

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            folders.append(descriptor)
            raise OSError(errno.EINVAL, "Invalid argument")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_atomically(tmp_path / "a.txt", "text")

    assert (tmp_path / "a.txt").read_text() == "text"
    assert len(folders) == 1


def test_folders_are_made_with_those_above_and_may_exist(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")

    assert (tmp_path / "a" / "b").is_dir()


def test_a_file_in_the_way_of_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "a").touch()

    with pytest.raises(CannotWrite, match="a file of that name is in the way"):
        make_folder(tmp_path / "a")
    with pytest.raises(CannotWrite, match="a part of its path is a file"):
        make_folder(tmp_path / "a" / "b")


def test_every_known_reason_is_a_sentence_and_a_remedy() -> None:
    for number in disk._REASONS:
        error = cannot_write(Path("a.txt"), OSError(number, "?"))

        assert error.what.startswith("a.txt cannot be written: ")
        assert error.remedy.endswith(".")


def test_a_full_disk_is_named_with_what_may_be_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path / "run")
    run.create()
    run.prepared.mkdir()
    (run.prepared / "a-0123456789ab.npy").write_bytes(bytes(3 << 20))

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotWrite) as caught:
        write_atomically(run.path / "labels.json", "text")

    said = str(caught.value)
    assert f"{run.path / 'labels.json'} cannot be written: the disk is full. Free some space" in said
    assert re.search(r"The disk /\S* has \d+ MB free\.", said)
    assert f"{run.prepared} (3 MB) may be deleted: it is made again when it is needed." in said
    assert sorted(path.name for path in run.path.iterdir()) == ["prepared", "run.json"]


def test_a_disk_that_takes_a_part_only_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    error = OSError("221184 requested and 63424 written")  # as numpy says it

    assert re.search(
        r"a\.npy cannot be written: the disk is full\. .* has 0 MB free",
        str(cannot_write(tmp_path / "a.npy", error)),
    )
