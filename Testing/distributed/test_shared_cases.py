"""Two processes share the cases of a job: the tables are those of one, and finished cases stay."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.distributed.processes import Processes, met
from ContrastiveSegLib.distributed.work_division import own_cases, processes_without_work
from ContrastiveSegLib.phantoms.phantom import PhantomCounts, write_phantom_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="several processes are refused on Windows")

COMPUTE = ["--device", "cpu", "--precision", "float32"]
SMALL = ["--steps", "2", "--batch", "4", "--base-channels", "4", *COMPUTE]
PROGRAM = ["-m", "ContrastiveSegLib"]


@pytest.fixture(scope="module")
def some_scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small cases, two of them with labels, and a damaged one."""
    folder = tmp_path_factory.mktemp("scans")
    write_phantom_folder(folder, PhantomCounts(unlabeled=3, labeled=2, test=0), seed=0, shape=(6, 32, 32))
    (folder / "unlabeled" / "images" / "damaged.nii.gz").write_bytes(b"no volume")
    return folder


@pytest.fixture(scope="module")
def a_trained_run(some_scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "run"
    grid = ["--patch", "32", "32", "--spacing", "8"]
    assert main(["pretrain", str(run), "--images", str(some_scans / "unlabeled"), *SMALL, *grid]) == 0
    labeled = ["--labeled", str(some_scans / "labeled"), "--unlabeled", "none"]
    assert main(["finetune", str(run), *labeled, *SMALL[:4], *COMPUTE]) == 0
    return run


def test_two_processes_suggest_what_one_suggests(a_trained_run, some_scans, tmp_path, start_together, capsys):
    words = ["suggest", str(a_trained_run), "--images", str(some_scans), *COMPUTE[:2], "--prepared"]
    alone, shared = tmp_path / "by one", tmp_path / "by two"

    assert main([*words, str(tmp_path / "1"), "--output", str(alone)]) == 0
    said = capsys.readouterr().out
    ended = start_together([*PROGRAM, *words, str(tmp_path / "2"), "--output", str(shared)], 2)

    assert [process.returncode for process in ended] == [0, 0], ended[0].stderr + ended[1].stderr
    assert [process.stdout for process in ended] == [said, ""]
    names = sorted(path.name for path in alone.iterdir())
    assert names == sorted(path.name for path in shared.iterdir())
    assert [n for n in names if (alone / n).read_bytes() != (shared / n).read_bytes()] == []
    assert "damaged" in (shared / "suggest_cases.csv").read_text("utf-8")
    assert "certain" in (shared / "suggestions.csv").read_text("utf-8")


def test_two_processes_compare_what_one_compares(some_scans, tmp_path, start_together, capsys):
    labels, predictions = some_scans / "labeled", tmp_path / "predictions"
    predictions.mkdir()
    first, second = sorted((labels / "labels").iterdir())
    image = sitk.ReadImage(str(first))
    shifted = sitk.GetImageFromArray(np.roll(sitk.GetArrayFromImage(image), 2, axis=2))
    shifted.CopyInformation(image)
    sitk.WriteImage(shifted, str(predictions / first.name))
    (predictions / second.name).write_bytes(b"no volume")
    words = ["evaluate", "--predictions", str(predictions), "--labels", str(labels), "--output"]

    alone = main([*words, str(tmp_path / "by one.csv")])
    said = capsys.readouterr().out.replace("by one", "by two")
    ended = start_together([*PROGRAM, *words, str(tmp_path / "by two.csv")], 2)

    assert [process.returncode for process in ended] == [alone] * 2 == [0, 0], ended[0].stderr
    assert [process.stdout for process in ended] == [said, ""]
    assert (tmp_path / "by one.csv").read_bytes() == (tmp_path / "by two.csv").read_bytes()


def test_of_a_process_that_fails_the_finished_cases_stay(a_trained_run, some_scans, tmp_path, start_together):
    words = ["predict", str(a_trained_run), "--images", str(some_scans), *COMPUTE, "--output", str(tmp_path)]

    ended = start_together(["-m", "Testing.distributed.failing", "1", *words], 2)

    assert [process.returncode for process in ended] == [1, 1]
    assert "The disk is full." in ended[1].stderr
    whole = [sitk.ReadImage(str(path)).GetSize() for path in tmp_path.glob("*.seg.nrrd")]
    assert len(whole) == 4  # three of the first, one of the other, which has two
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".csv"]


def test_the_largest_cases_go_first_and_idle_processes_are_named():
    shares = []
    for rank in range(2):
        with met(Processes(rank, 2)):
            shares.append(own_cases([5, 1, 9, 3]))
            assert processes_without_work(4) == ""
    with met(Processes(0, 3)):
        said = processes_without_work(2)

    assert shares == [[2], [0, 1, 3]]
    assert said == "There are 3 processes, but only 2 cases: some have nothing to do."
