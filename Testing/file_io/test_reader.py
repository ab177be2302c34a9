"""A file that crashes, fills or stops the process that reads it costs one case, and the next one is read."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io import read_limits, reader, reader_process
from ContrastiveSegLib.file_io.files import read_geometry, read_image, read_labels

# In the place of the program: what happens depends on the name of the file.
SPOILED = """
import os, signal, sys, time
sys.path[0] = {root!r}
from ContrastiveSegLib.file_io import opening
before = opening.check_intact
def check_intact(path):
    if "crash" in path.name:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "later" in path.name:
        os._exit(7) if os.environ.get("SEEN") else os.environ.update(SEEN="1")
    if "stuck" in path.name:
        while True: pass
    if "wait" in path.name:
        time.sleep(1000)
    if "fill" in path.name:
        [bytearray(1 << 20) for _ in iter(int, 1)]
    if "hoard" in path.name:
        hoard = [bytearray(b"x" * (1 << 24)) for _ in range(20)]
        time.sleep(1000)
    if "print" in path.name:
        os.write(1, b"noise among the answers")
    if "odd" in path.name:
        raise KeyError("odd")
    before(path)
opening.check_intact = check_intact
from ContrastiveSegLib.file_io.reader_child import main
main()
"""


@pytest.fixture
def an_array() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 99, (4, 5, 6)).astype(np.int16)


@pytest.fixture
def write(tmp_path: Path, an_array: np.ndarray) -> Callable[[str], Path]:
    def write(name: str) -> Path:
        sitk.WriteImage(sitk.GetImageFromArray(an_array), str(tmp_path / name))
        return tmp_path / name

    return write


@pytest.fixture
def own_readers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Reading processes for this test alone."""
    monkeypatch.setattr(reader._Readers, "_all", {})
    yield
    reader._Readers.of_this_process().close()


@pytest.fixture
def spoiled(own_readers: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001, asked for what it does
    """Reading processes that do odd things to files of certain names, and are soon given up."""
    monkeypatch.setattr(reader_process, "PROGRAM", SPOILED)
    monkeypatch.setattr(read_limits, "LEAST_SECONDS", 0.5)


def pids() -> list[int]:
    return [process._process.pid for process in reader._Readers.of_this_process()._idle]


@pytest.mark.usefixtures("spoiled")
def test_a_crash_costs_one_file(write: Callable[[str], Path], an_array: np.ndarray) -> None:
    with pytest.raises(
        BadFile, match=r"crash\.nrrd is damaged: reading it ended the process .*SIGSEGV.*Copy"
    ):
        read_image([write("crash.nrrd")])

    np.testing.assert_array_equal(read_image([write("a.nrrd")]).volume.array[0], an_array)


@pytest.mark.usefixtures("spoiled")
def test_a_crash_in_a_process_that_read_before_is_tried_once_more(
    write: Callable[[str], Path], an_array: np.ndarray
) -> None:
    path = write("later.nrrd")
    read_image([path])
    (first,) = pids()

    np.testing.assert_array_equal(read_image([path]).volume.array[0], an_array)
    assert pids() != [first]


@pytest.mark.usefixtures("spoiled")
@pytest.mark.parametrize("name", ["stuck.nrrd", "wait.nrrd"])
def test_reading_without_end_is_ended(write: Callable[[str], Path], name: str) -> None:
    begin = time.monotonic()

    with pytest.raises(BadFile, match=f"{name} is damaged: reading it does not come to an end within 1 s"):
        read_image([write(name)])
    assert time.monotonic() - begin < 20
    assert pids() == []


@pytest.mark.usefixtures("spoiled")
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no process can be limited")
def test_memory_without_end_is_refused(write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_limits, "LEAST_SECONDS", 60.0)

    with pytest.raises(BadFile, match=r"fill\.nrrd would take more memory than a file like it should"):
        read_image([write("fill.nrrd")])


@pytest.mark.usefixtures("spoiled")
def test_whoever_takes_too_much_memory_is_ended_also_without_a_limit(
    write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "allowance_for", lambda _: read_limits.Allowance(200 << 20, 60.0))

    with pytest.raises(BadFile, match=r"hoard\.nrrd is damaged: reading it takes more than 200 MB of memory"):
        read_image([write("hoard.nrrd")])


@pytest.mark.usefixtures("spoiled")
def test_what_nobody_expected_is_a_reason_with_its_traceback_in_the_log(
    write: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ContrastiveSegLib")

    with pytest.raises(BadFile, match=r"odd\.nrrd cannot be read: KeyError: 'odd'\. Copy"):
        read_image([write("odd.nrrd")])
    assert "in check_intact" in caplog.text
    assert read_image([write("print.nrrd")]).volume.array.shape == (1, 4, 5, 6)


@pytest.mark.usefixtures("own_readers")
def test_a_header_that_crashes_itk_is_survived_without_the_screen_too(
    tmp_path: Path, write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (
        "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 4 4 4\nkinds:" + " domain" * 2000 + "\nencoding: raw\n\n"
    )
    (tmp_path / "bad.nrrd").write_bytes(lines.encode() + bytes(64))
    unscreened = (
        "import sys; sys.path[0] = {root!r}\n"
        "from ContrastiveSegLib.file_io import opening, header_limits, screening\n"
        "given = screening.Screened('NrrdImageIO', header_limits.DeclaredSize(64, 64))\n"
        "opening.screen = lambda _: given\n"
        "from ContrastiveSegLib.file_io.reader_child import main; main()"
    )
    monkeypatch.setattr(reader_process, "PROGRAM", unscreened)

    with pytest.raises(BadFile, match=r"bad\.nrrd is damaged: reading it ended the process that read it"):
        read_geometry([tmp_path / "bad.nrrd"])
    assert read_geometry([write("a.nrrd")]).size == (6, 5, 4)


@pytest.mark.usefixtures("own_readers")
def test_an_interrupted_answer_is_never_taken_for_the_next(
    write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = write("small.nrrd"), write("large.mha")
    read_image([small])

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(reader_process.ReaderProcess, "_waited", interrupt)
        with pytest.raises(KeyboardInterrupt):
            read_labels(large)
    assert read_image([small]).volume.geometry == read_geometry([large])


@pytest.mark.usefixtures("own_readers")
def test_relative_paths_mean_what_they_mean_here(
    write: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("a.nrrd")
    (tmp_path / "SimpleITK.py").write_text("raise RuntimeError('never imported')")

    monkeypatch.chdir(tmp_path)
    assert read_geometry([Path("a.nrrd")]).size == (6, 5, 4)
    monkeypatch.chdir("/")
    with pytest.raises(BadFile, match=r"^a\.nrrd cannot be opened"):
        read_geometry([Path("a.nrrd")])


@pytest.mark.usefixtures("own_readers")
def test_one_process_reads_many_files_and_more_join_when_it_is_not_enough(
    write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("a.nrrd")
    for _ in range(5):
        read_image([path])
    assert len(pids()) == 1

    monkeypatch.setattr(reader, "GROW_AFTER_S", 0.0)
    monkeypatch.setattr(reader, "MOST_PROCESSES", 2)
    threads = [threading.Thread(target=lambda: [read_image([path]) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids()) == 2


@pytest.mark.usefixtures("own_readers")
def test_the_process_ends_with_the_one_that_started_it(write: Callable[[str], Path]) -> None:
    read_image([write("a.nrrd")])
    (pid,) = pids()

    reader._Readers.of_this_process().close()

    psutil = pytest.importorskip("psutil", reason="psutil is not installed: nobody can look for the process")
    assert not psutil.pid_exists(pid)


@pytest.mark.usefixtures("own_readers")
@pytest.mark.parametrize("executable", ["/opt/Slicer/bin/SlicerApp-real", "/nowhere/python", ""])
def test_without_a_process_files_are_read_here_and_it_is_said_once(
    write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, executable: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(sys, "executable", executable)

    assert read_geometry([write("a.nrrd")]).size == (6, 5, 4)
    assert read_labels(write("b.mha")).volume.geometry.size == (6, 5, 4)
    (said,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert said.startswith("Files are read within this process, because a process for them cannot be started")


@pytest.mark.usefixtures("own_readers")
def test_without_a_process_a_header_that_is_not_understood_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "")
    path = tmp_path / "a.nii"
    path.write_bytes(os.urandom(400))

    with pytest.raises(BadFile, match=r"a\.nii has a header that is not understood here"):
        read_image([path])


def test_a_process_that_reads_loads_no_pydicom_before_it_meets_dicom() -> None:
    words = "import sys, ContrastiveSegLib.file_io.files; print('pydicom' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
