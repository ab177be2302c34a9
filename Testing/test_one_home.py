"""A fact that several parts need is written in one place; a second one is found here, before they differ."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ContrastiveSegLib.preprocessing.plan import BASE_CHANNELS
from ContrastiveSegLib.settings.field_help import field_help
from ContrastiveSegLib.settings.job_settings import FinetuneSettings, PretrainSettings

ROOT = Path(__file__).parents[1]
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
}  # fmt: skip


@pytest.mark.parametrize("fact", HOMES)
def test_the_fact_is_spelled_out_in_one_place(fact: str) -> None:
    pattern, homes = HOMES[fact]

    found = {path for path in SOURCES if re.search(pattern, path.read_text("utf-8"), re.MULTILINE)}

    assert {path.relative_to(ROOT).as_posix().partition("/")[2] for path in found} == homes


@pytest.mark.parametrize("settings", [PretrainSettings, FinetuneSettings])
def test_the_help_names_the_base_channels_that_are_used(settings: type) -> None:
    text = field_help(settings)["base_channels"]

    assert set(BASE_CHANNELS.values()) == {int(number) for number in re.findall(r"\d+", text)}
