"""The lists of files in "How to add something" are true."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from ContrastiveSegLib.command_line import read_order
from ContrastiveSegLib.registry import list_entries
from ContrastiveSegLib.settings.job_settings import JOBS
from ContrastiveSegLib.settings.method_catalog import list_methods
from ContrastiveSegLib.settings.network_catalog import network_names
from ContrastiveSegLib.settings.rules import rules_of

# One that is there for each kind; its files must be those that the page lists.
EXAMPLES = {
    "method": ["pcl", "supercl", "macl"],
    "strategy": ["supervised", "pclmix"],
    "network": ["unet", "dynunet"],
    "job": ["scan", "predict", "suggest"],
    "export": ["nnunet_raw", "dicom_seg"],
    "panel-step": ["pretrain", "predict"],
}


def _listed(root: Path, kind: str) -> list[str]:
    """The paths that the section "Files" of a page names."""
    text = (root / "docs" / "extending" / f"{kind}.md").read_text(encoding="utf-8")
    section = text.partition("## Files")[2].partition("\n## ")[0]
    return re.findall(r"^- `([^`]+)`", section, re.MULTILINE)


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k, names in EXAMPLES.items() for n in names])
def test_what_is_there_has_the_files_that_the_page_lists(kind: str, name: str, root: Path) -> None:
    paths = [path.replace("NAME", name) for path in _listed(root, kind)]

    assert paths
    assert [path for path in paths if not (root / path).is_file()] == []


@pytest.mark.parametrize(
    ("kind", "flag", "old"), [("pretraining", "--method", "pcl"), ("finetuning", "--strategy", "partial_ce")]
)
def test_one_new_file_is_a_new_method_of_the_command_line(
    kind: str, flag: str, old: str, root: Path, tmp_path: Path
) -> None:
    for folder in ("pretraining", "finetuning"):
        (tmp_path / folder).mkdir()
    shutil.copy(root / "ContrastiveSegLib" / kind / f"{old}.py", tmp_path / kind / "brand_new.py")
    job = ["pretrain", "r", "--images", "i"] if kind == "pretraining" else ["finetune", "r", "--labeled", "l"]

    order = read_order([*job, flag, "brand_new"], folder=tmp_path)

    assert [entry.name for entry in list_methods(tmp_path)] == ["brand_new"]
    assert "brand_new" in vars(order.settings).values()


def test_one_new_file_is_a_new_network(root: Path, tmp_path: Path) -> None:
    shutil.copy(root / "ContrastiveSegLib" / "networks" / "unet.py", tmp_path / "brand_new.py")

    assert network_names(tmp_path) == ("brand_new",)


def test_every_file_of_a_job_is_a_verb_with_the_settings_of_its_name(root: Path) -> None:
    entries = list_entries(root / "ContrastiveSegLib" / "jobs")

    assert {entry.name for entry in entries if entry.defines("run")} == set(JOBS)
    assert {name: cls.__name__ for name, cls in JOBS.items()} == {
        name: f"{name.capitalize()}Settings" for name in JOBS
    }


def test_every_form_of_export_is_offered_on_the_command_line_and_in_the_panel(root: Path) -> None:
    files = {entry.name.replace("_", "-") for entry in list_entries(root / "ContrastiveSegLib" / "exporting")}
    menu = root / "ContrastiveSeg" / "ContrastiveSegPanel" / "export_formats.py"

    assert set(rules_of(JOBS["export"])["to"].choices) == files
    assert {name for name in files if f'"{name}"' in menu.read_text(encoding="utf-8")} == files


def test_every_step_of_the_panel_is_named_by_the_panel(root: Path) -> None:
    folder = root / "ContrastiveSeg" / "ContrastiveSegPanel"
    panel = (folder / "panel.py").read_text(encoding="utf-8")
    # A base class of two steps is no step of its own.
    steps = {path.stem for path in folder.glob("*_step.py")} - {"prompted_step"}

    assert [step for step in sorted(steps) if f"from .{step} import" not in panel] == []
