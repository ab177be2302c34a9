"""A MONAI bundle, run by MONAI itself without this program, gives our prediction."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.file_io.files import read_labels, write_image
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.session.device import Compute
from ContrastiveSegLib.training.fine_tuned import load_round
from Testing.exporting.foreign import FOREIGN, needs_foreign
from Testing.orientations import OBLIQUE

SMALL = ["--base-channels", "4", "--batch", "2", "--device", "cpu", "--precision", "float32"]
DATA = Path(os.environ.get("CONTRASTIVESEG_TEST_DATA", "../shared/data"))
REAL = {"slices": "acdc", "blocks": "hippocampus"}
KINDS = {
    "slices": ["--network", "unet", "--patch", "32", "32", "--spacing", "6"],
    "blocks": ["--network", "dynunet", "--spatial-dims", "3", "--patch", "16", "32", "32", "--spacing", "3"],
}


def _scans(kind: str, phantoms: Path, place: Path) -> tuple[Path, list[Path]]:
    """A folder with two annotated scans, and two other scans: real ones, where they are at hand."""
    real = DATA / REAL[kind]
    if not real.is_dir():
        return phantoms / "labeled", sorted((phantoms / "test" / "images").iterdir())
    names = sorted(path.name for path in (real / "images").iterdir())
    for folder in ("images", "labels"):
        (place / "labeled" / folder).mkdir(parents=True)
        for name in names[:2]:
            shutil.copy(real / folder / name, place / "labeled" / folder)
    return place / "labeled", [real / "images" / name for name in names[2:4]]


@pytest.fixture(scope="module", params=KINDS)
def a_run(request, phantoms, tmp_path_factory) -> Path:
    """A network of few steps, its predictions, and the folder of their images; one image is oblique."""
    place = tmp_path_factory.mktemp(request.param)
    labeled, scans = _scans(request.param, phantoms, place)
    learn = ["--steps", "12", "--strategy", "supervised", "--from", "none", *SMALL, *KINDS[request.param]]
    assert main(["finetune", str(place / "run"), "--labeled", str(labeled), *learn]) == 0
    (place / "images").mkdir()
    for path in scans:
        shutil.copy(path, place / "images")
    image = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    geometry = Geometry(image.shape[::-1], (1.7, 2.3, 4.0), (4.0, -8.0, 100.0), OBLIQUE)
    write_image(place / "images" / "oblique.nii.gz", Volume(image[None].astype(np.float32), geometry))
    assert main(["predict", str(place / "run"), "--images", str(place / "images"), "--device", "cpu"]) == 0
    return place


def _export(place: Path, bundle: Path, *words: str) -> int:
    run = str(place / "run")
    return main(["export", run, "--to", "monai-bundle", "--output", str(bundle), *words])


def _foreign(bundle: Path, *words: str) -> None:
    """The foreign Python, in the bundle's folder, where this program cannot be imported."""
    environment = {**os.environ, "PYTHONPATH": str(bundle), "OMP_NUM_THREADS": "1"}
    command = [str(FOREIGN), *words]
    done = subprocess.run(command, cwd=bundle, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def _dice(one: np.ndarray, two: np.ndarray) -> float:
    values = sorted(({*np.unique(one)} | {*np.unique(two)}) - {0})
    return min(2 * ((one == v) & (two == v)).sum() / ((one == v).sum() + (two == v).sum()) for v in values)


@needs_foreign
def test_monai_gives_our_prediction_on_the_same_grid(a_run, tmp_path):
    _export(a_run, tmp_path / "bundle")

    folders = ["--dataset_dir", str(a_run / "images"), "--output_dir", str(tmp_path / "out")]
    command = ["-m", "monai.bundle", "run", "--config_file", "configs/inference.json"]
    _foreign(tmp_path / "bundle", *command, *folders)

    ours = sorted((a_run / "run" / "predictions").glob("*.seg.nrrd"))
    assert len(ours) == 3
    for path in ours:
        mine = read_labels(path).volume
        theirs = read_labels(tmp_path / "out" / f"{path.name.removesuffix('.seg.nrrd')}_seg.nii.gz").volume
        assert theirs.geometry.matches(mine.geometry)
        assert mine.array.any()
        assert _dice(mine.array, theirs.array) >= 0.995


@needs_foreign
def test_monai_verifies_metadata_and_network(a_run, tmp_path):
    _export(a_run, tmp_path / "bundle")
    schema = Path(__file__).with_name("monai_metadata_schema.json")
    metadata = "meta_file='configs/metadata.json'"

    _foreign(
        tmp_path / "bundle",
        "-c",
        "from monai.bundle import verify_metadata, verify_net_in_out\n"
        f"verify_metadata({metadata}, filepath={str(schema)!r})\n"
        f"verify_net_in_out('network_def', {metadata}, config_file='configs/inference.json')",
    )


def test_the_weights_are_a_state_dict_and_nothing_else(a_run, tmp_path):
    _export(a_run, tmp_path / "bundle")

    found = torch.load(tmp_path / "bundle" / "models" / "model.pt", weights_only=True)

    network = load_round(RunFolder(a_run / "run"), None, Compute(torch.device("cpu"), "float32")).network
    assert list(found) == list(network.state_dict())
    assert all(torch.equal(found[name], tensor) for name, tensor in network.state_dict().items())
    facts = json.loads((tmp_path / "bundle" / "configs" / "metadata.json").read_text(encoding="utf-8"))
    channels = facts["network_data_format"]["outputs"]["pred"]["channel_def"]
    assert channels["0"] == "background"
    assert facts["name"] == "run"
    assert (tmp_path / "bundle" / "docs" / "README.md").read_text(encoding="utf-8").startswith("# run\n")


def test_the_copied_steps_name_this_program_in_no_import(a_run, tmp_path):
    _export(a_run, tmp_path / "bundle")

    copies = list((tmp_path / "bundle" / "scripts").rglob("*.py"))

    assert 20 <= len(copies) <= 50
    for path in copies:
        assert "ContrastiveSegLib" not in path.read_text(encoding="utf-8"), path


def test_torchscript_gives_the_same_scores(a_run, tmp_path):
    _export(a_run, tmp_path / "bundle", "--torchscript")

    model = load_round(RunFolder(a_run / "run"), None, Compute(torch.device("cpu"), "float32"))
    patch = torch.rand(3, 1, *model.grid.patch)
    with torch.no_grad():
        found = torch.jit.load(tmp_path / "bundle" / "models" / "model.ts")(patch)
        torch.testing.assert_close(found, model.network(patch), atol=1e-4, rtol=0)


# Asks onnxruntime for the scores of a patch: model, patch and scores are files.
ASK = """
import sys, numpy, onnxruntime
model, patch, scores = sys.argv[1:]
numpy.save(scores, onnxruntime.InferenceSession(model).run(None, {"image": numpy.load(patch)})[0])
"""


@needs_foreign
def test_onnx_gives_the_same_scores(a_run, tmp_path):
    model = load_round(RunFolder(a_run / "run"), None, Compute(torch.device("cpu"), "float32"))
    patch = torch.rand(3, 1, *model.grid.patch)
    np.save(tmp_path / "patch.npy", patch.numpy())
    root = Path(__file__).parents[2]
    words = [str(a_run / "run"), "--to", "monai-bundle", "--output", str(tmp_path / "bundle"), "--onnx"]

    # The packages of the extra [onnx] are where the foreign programs are.
    subprocess.run([FOREIGN, "-m", "ContrastiveSegLib", "export", *words], check=True, cwd=root)
    file = tmp_path / "bundle" / "models" / "model.onnx"
    asked = [str(file), str(tmp_path / "patch.npy"), str(tmp_path / "scores.npy")]
    subprocess.run([FOREIGN, "-c", ASK, *asked], check=True)

    with torch.no_grad():
        expected = model.network(patch).numpy()
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), expected, atol=1e-4, rtol=0)


def test_onnx_without_its_packages_names_the_command(a_run, tmp_path, capsys):
    if importlib.util.find_spec("onnxscript"):
        pytest.skip("the packages are installed")

    assert _export(a_run, tmp_path / "bundle", "--onnx") == 1

    assert "pip install 'contrastiveseg[onnx]'" in capsys.readouterr().err
    assert not (tmp_path / "bundle").exists()


def test_a_run_that_is_not_fine_tuned_and_a_second_bundle_are_sentences(a_run, tmp_path, capsys):
    run = RunFolder(tmp_path / "run")
    run.create()
    run.settings.write_text("{}", encoding="utf-8")

    assert main(["export", str(run.path), "--to", "monai-bundle", "--output", str(tmp_path / "b")]) == 1
    assert "There is no finished fine-tuning in" in capsys.readouterr().err
    assert _export(a_run, tmp_path) == 0
    assert (tmp_path / "run_bundle" / "configs" / "metadata.json").is_file()
    assert _export(a_run, tmp_path) == 1

    assert "not an empty folder" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()
    assert sys.modules.get("scripts") is None
