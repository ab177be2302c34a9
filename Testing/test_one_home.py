"""A fact that several parts need is written in one place; a second one is found here, before they differ."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from ContrastiveSegLib.preprocessing.intensities import MODALITIES
from ContrastiveSegLib.preprocessing.plan import BASE_CHANNELS
from ContrastiveSegLib.settings.field_help import field_help
from ContrastiveSegLib.settings.job_settings import (
    FinetuneSettings,
    GridSettings,
    PretrainSettings,
)
from ContrastiveSegLib.settings.prompting_settings import GrayValues
from ContrastiveSegLib.settings.rules import rules_of
from ContrastiveSegLib.slicer_bridge.install import TORCH

ROOT = Path(__file__).parents[1]
PROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
ENVIRONMENT = ROOT / "ContrastiveSegLib" / "session" / "environment.py"
SHIPPED_WITH_SLICER = {"numpy", "scipy", "SimpleITK", "pydicom"}
SOURCES = [
    path for top in ("ContrastiveSeg", "ContrastiveSegLib") for path in sorted((ROOT / top).rglob("*.py"))
]

# What the code looks like where the fact is spelled out, and the only files that may.
HOMES = {
    "base channels of a machine": (r'"cpu": 24\b|24 if .*cpu', {"preprocessing/plan.py"}),
    "images per step of pre-training": (r"^PRE.*BATCH\b.* = .*\b32\b", {"preprocessing/plan.py"}),
    "pixels per step of fine-tuning": (r"\* 128 \* 128\b|\* 256 \* 256\b", {"preprocessing/plan.py"}),
    "largest side of a patch": (r'"cpu": 128\b', {"imaging/grid.py"}),
    "passes over the data": (r"\b(epochs|EPOCHS)\b.* = .*\b100\b", {"settings/job_settings.py"}),
    "the promptable model by default": (r'"lite_medsam"', {"settings/model_catalog.py"}),
    "suffixes of label files": (r'^SUFFIXES\b.*"\.nii\.gz"', {"file_io/saving.py"}),
    "a file in a folder": (r"import_module\(|iter_modules|\.glob\(\"(\[!_\])?\*\.py\"\)", {
        "registry.py",
        "file_io/serialization.py",  # a class by its name in a message
        "slicer_bridge/install.py",  # a module of Slicer
    }),
    "a file takes the place of another": (r"\b(temporary|partial|anew|text)\b.*\.replace\(\w", {
        "disk.py",
        "file_io/provenance.py",  # inside of a file that is not in its place yet
        "slicer_bridge/run_archive.py",  # a whole folder
    }),
    "bytes reach the disk": (r"os\.fsync\(", {"disk.py"}),
    "gray values that become 0 and 1": (r"\bPERCENTILES\b|1e-12\), 0, 1\)", {"preprocessing/intensities.py"}),
    "modality of an image": (r"\bmodality != \"auto\" else", {"preprocessing/intensities.py"}),
    "the case of a prediction, by its name": (r"\bmatch_names\(", {
        "dataset/matching.py",
        "dataset/pairing.py",  # annotations
    }),
    "names of files and folders in a run": (
        r'"(settings\.json|events\.jsonl|log\.txt|cancel\.request|cases\.csv|labels\.json|environment\.json'
        r'|model\.json|finetune/.*)"|/ "(prepared|predictions|annotations|panel)"|_refined?(\.csv)?"$',
        {"runs/run_names.py"},
    ),
    "end of the name of a map of uncertainty": (r"[\"}]_uncertainty\b", {"program_identity.py"}),
    "the word in a run folder's marker": (r'"run\.json"', {"program_identity.py"}),
    "how many scans without annotation are enough": (r"^FEWEST_SCANS\b.* = ", {"preprocessing/plan.py"}),
    "files named after a case": (r"(removesuffix|glob)\(.*\.seg\.nrrd|SUFFIX\b = \"\.seg\.nrrd\"", {
        "runs/case_files.py",
    }),
    "the slice of the file": (r"physical_to_index\(.*index_to_physical\(", {
        "preprocessing/file_slices.py",
        "imaging/alignment.py",
    }),
    "something is downloaded": (r"\burllib\b|http\.client|download_and_extract", {"session/download.py"}),
    "LPS becomes RAS": (r"\bLPS_TO_RAS\b|diag\(\[-1", {
        "slicer_bridge/nodes.py",
        "exporting/_monai_steps.py",  # affines of MONAI
    }),
    "the axis across the slices": (r"\bslicing_axes\(.*\)\[2\]", {"imaging/grid.py"}),
}  # fmt: skip


@pytest.mark.parametrize("fact", HOMES)
def test_the_fact_is_spelled_out_in_one_place(fact: str) -> None:
    pattern, homes = HOMES[fact]

    found = {path for path in SOURCES if re.search(pattern, path.read_text("utf-8"), re.MULTILINE)}

    assert {path.relative_to(ROOT).as_posix().partition("/")[2] for path in found} == homes


def test_no_file_that_is_loaded_can_run_code() -> None:
    """As ARCHITECTURE.md says."""
    loads = [
        ast.unparse(node)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and re.fullmatch(r"(torch|pickle|np)\.loads?", ast.unparse(node.func))
    ]

    of_numpy = {call for call in loads if call.startswith("np.")}
    assert of_numpy
    assert [call for call in loads if call not in of_numpy and "weights_only=True" not in call] == []
    assert [call for call in of_numpy if "allow_pickle" in call] == []  # numpy loads none unless asked


@pytest.mark.parametrize("settings", [PretrainSettings, FinetuneSettings])
def test_the_help_names_the_base_channels_that_are_used(settings: type) -> None:
    text = field_help(settings)["base_channels"]

    assert set(BASE_CHANNELS.values()) == {int(number) for number in re.findall(r"\d+", text)}


def test_slicer_is_asked_for_the_packages_that_pip_is_asked_for() -> None:
    """All but those that Slicer ships itself, and torch, which its own extension brings."""
    listed = re.search(r"^dependencies = \[(.*?)^\]", PROJECT, re.MULTILINE | re.DOTALL)
    needed = set(re.findall(r'"([^"]+)"', listed[1] if listed else ""))
    lines = (ROOT / "ContrastiveSeg" / "Resources" / "requirements.txt").read_text("utf-8").splitlines()
    asked = {line for line in lines if line and not line.startswith("#")}

    assert TORCH in needed
    assert {re.split("[<>=]", package)[0] for package in needed - asked - {TORCH}} == SHIPPED_WITH_SLICER
    assert asked < needed


def test_the_environment_is_described_by_packages_that_are_needed() -> None:
    found = re.search(r"^PACKAGES = \((.*)\)", ENVIRONMENT.read_text("utf-8"), re.MULTILINE)

    assert found
    assert all(f'"{name}>=' in PROJECT for name in re.findall(r'"([^"]+)"', found[1]))


def test_settings_and_engine_know_the_same_modalities() -> None:
    assert rules_of(GridSettings)["modality"].choices == MODALITIES
    assert rules_of(GrayValues)["modality"].choices == MODALITIES


def test_every_file_of_contrast_serves_a_pre_training_method() -> None:
    """What a fine-tuning strategy alone uses lies beside it."""
    room, methods = ROOT / "ContrastiveSegLib" / "contrast", ROOT / "ContrastiveSegLib" / "pretraining"
    text = "\n".join(path.read_text("utf-8") for path in methods.glob("*.py"))

    assert [path.stem for path in room.glob("[!_]*.py") if f"contrast.{path.stem} import" not in text] == []
