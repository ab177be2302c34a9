"""The lists of files in "How to add something" are true."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import settings_tables as tables

from ContrastiveSegLib.command_line import parse_command
from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.file_io.file_names import VOLUME_SUFFIXES
from ContrastiveSegLib.file_io.formats import FORMATS
from ContrastiveSegLib.registry import list_entries
from ContrastiveSegLib.settings.job_settings import JOBS, ScanSettings
from ContrastiveSegLib.settings.method_catalog import list_methods
from ContrastiveSegLib.settings.network_catalog import network_names
from ContrastiveSegLib.settings.rules import Formerly, Range, rules_of

# One that is there for each kind; its files must be those that the page lists.
EXAMPLES = {
    "method": ["pcl", "supercl", "macl"],
    "strategy": ["supervised", "pclmix"],
    "network": ["unet", "dynunet"],
    "job": ["scan", "predict", "suggest"],
    "export": ["nnunet_raw", "dicom_seg", "monai_bundle", "nnssl"],
    "format": ["nrrd", "meta", "nifti"],
    "setting": ["any"],
    "panel-step": ["evaluate"],
}


# Files of the program that an addition touches, and whether a test of its own belongs to it.
COUNTS = {
    "method": (1, True),
    "strategy": (1, True),
    "network": (1, True),
    "job": (2, True),
    "format": (2, True),
    "setting": (1, False),
    "panel-step": (1, True),
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


@pytest.mark.parametrize("kind", COUNTS)
def test_an_addition_touches_few_files(kind: str, root: Path) -> None:
    paths = [path for path in _listed(root, kind) if path.endswith(".py")]
    program = [path for path in paths if path.startswith("ContrastiveSeg")]

    assert (len(program), len(program) < len(paths)) == COUNTS[kind]
    assert len(paths) - len(program) <= 1


def test_contributing_lists_the_same_files(root: Path) -> None:
    text = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[.*\]\(docs/extending/(.*)\.md\) \| (.*) \|$", text, re.MULTILINE)

    assert {kind for kind, _ in rows} == set(EXAMPLES)
    for kind, files in rows:
        listed = {path for path in _listed(root, kind) if path.endswith(".py")}
        named = set(re.findall(r"`([^`]+)`", files))
        assert named == listed if "lists" not in files else named <= listed, kind


def test_every_format_of_files_checks_its_header(root: Path) -> None:
    room = root / "ContrastiveSegLib" / "file_io"
    checked = {entry.name for entry in list_entries(room) if entry.defines("screen")} - {"screening"}

    assert {kind.module for kind in FORMATS} == checked
    assert {suffix for kind in FORMATS for suffix in kind.suffixes} | {".seg.nrrd"} == set(VOLUME_SUFFIXES)


@dataclass(frozen=True, kw_only=True)
class ScanWithOneMore(ScanSettings):
    """As scan, with a setting that nothing else names."""

    brand_new: Annotated[int, Range(1, 5), Formerly("brand_old")] = 2
    """A number that is new."""


def test_a_new_field_is_a_flag_with_help_a_check_and_an_earlier_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(JOBS, "scan", ScanWithOneMore)

    assert parse_command(["scan", "data", "--brand-new", "3"]).settings.brand_new == 3
    assert parse_command(["scan", "data", "--brand-old", "4"]).settings.brand_new == 4
    with pytest.raises(BadSetting, match="brand_new"):
        parse_command(["scan", "data", "--brand-new", "6"])
    with pytest.raises(SystemExit):
        parse_command(["scan", "--help"])
    assert "A number that is new." in capsys.readouterr().out
    fresh = tables.job_rows.__wrapped__("scan")  # what is remembered is of the real job, before or after
    assert any(row.flag.startswith("--brand-new") for row in fresh)


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

    order = parse_command([*job, flag, "brand_new"], folder=tmp_path)

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


def test_a_job_with_a_step_of_the_panel_touches_five_files(root: Path) -> None:
    paths = {*_listed(root, "job"), *_listed(root, "panel-step")}

    assert len([path for path in paths if path.endswith(".py")]) == 5


def test_every_step_of_the_panel_is_found_in_the_folder_or_named_by_the_panel(root: Path) -> None:
    folder = root / "ContrastiveSeg" / "ContrastiveSegPanel"
    panel = (folder / "panel.py").read_text(encoding="utf-8")
    # A base class of several steps is no step of its own.
    steps = {path.stem for path in folder.glob("*_step.py")} - {"prompted_step", "job_step"}
    found = {entry.name for entry in list_entries(folder, defining="PanelStep")}

    assert found
    assert {step for step in steps if f"from .{step} import" in panel} == steps - found
