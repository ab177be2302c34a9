"""What only a computer with a GPU can show: run with `pytest -m gpu`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.runs.events import read_new
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from ContrastiveSegLib.session.reporter import Reporter
from Testing.training.probing import Probe, Witness, how, probe

pytestmark = pytest.mark.gpu

GPU = "cuda"
SMALL = ["--base-channels", "4", "--batch", "4", "--patch", "32", "32", "--spacing", "6", "--steps", "6"]


def _pretrain(run: Path, images: Path, device: str) -> int:
    words = ["--method", "simclr", *SMALL, "--precision", "float32", "--device", device]
    return main(["pretrain", str(run), "--images", str(images), *words])


def test_a_gpu_pretrains_fine_tunes_predicts_and_suggests(phantoms: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    on_gpu = ["--device", GPU]
    labeled = ["--labeled", str(phantoms / "labeled"), "--steps", "4", "--batch", "4"]

    codes = [
        _pretrain(run, phantoms, GPU),
        main(["finetune", str(run), *labeled, *on_gpu]),
        main(["predict", str(run), "--images", str(phantoms / "test"), *on_gpu]),
        main(["suggest", str(run), "--images", str(phantoms / "unlabeled"), *on_gpu]),
    ]

    assert codes == [0] * 4
    assert len([*RunFolder(run).predictions.glob("*.seg.nrrd")]) == 2


def test_a_training_moves_from_cpu_to_gpu_and_back(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, asked = RunFolder(tmp_path / "run"), []

    def cancelled(_: Reporter) -> bool:
        asked.append(1)
        return len(asked) % 2 == 0  # every second step

    with monkeypatch.context() as patched:
        patched.setattr(Reporter, "cancelled", cancelled)
        stopped = [_pretrain(run.path, phantoms, device) for device in ("cpu", GPU)]
    finished = _pretrain(run.path, phantoms, "cpu")

    assert (*stopped, finished) == (130, 130, 0)
    assert ModelFolder(run.pretrain).is_finished
    steps = [event["step"] for event in read_new(run.events)[0] if event["kind"] == "progress"]
    assert steps == sorted(steps)
    assert steps[-1] == 6


def test_when_the_memory_of_a_gpu_ends_the_batch_is_halved(tmp_path: Path) -> None:
    import torch

    def loss(probe: Probe, _: int) -> torch.Tensor:
        if probe.batches[-1] > 2:
            torch.empty(1 << 50, device=GPU)
        return probe.weight.square().sum()

    watch = Witness()

    assert probe(how(tmp_path / "last", batch=4), Probe(loss), watch).batches[:2] == [4, 2]
    assert watch.warnings == ["Memory ran out; going on with 2 images per step."]
    shutil.rmtree(tmp_path, ignore_errors=True)
