"""Every name that the panel asks of Slicer and Qt is one that a running Slicer has."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from Testing.slicer.panel_fixtures import MODULE

ROOT = Path(__file__).parents[2]
FILES = [
    *(ROOT / "ContrastiveSeg").rglob("*.py"),
    *(ROOT / "ContrastiveSegLib" / "slicer_bridge").glob("*.py"),
]
LISTED = Path(os.environ.get("CONTRASTIVESEG_SLICER_API", ROOT.parent / "shared" / "slicer_api.json"))
# Modules of other extensions, asked for with hasattr.
MAY_BE_MISSING = {"pytorchutils"}


@pytest.fixture(scope="module")
def api() -> dict:
    """The names read from a running Slicer."""
    if not LISTED.is_file():
        pytest.skip(f"there is no list of names at {LISTED}")
    return json.loads(LISTED.read_text(encoding="utf-8"))


def _chains() -> Iterator[tuple[str, str]]:
    """File and dotted name of every attribute chain: slicer.util.loadVolume."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                yield path.name, ast.unparse(node)


@pytest.mark.parametrize(
    ("prefix", "group", "name"),
    [
        ("slicer.util.", "modules", "slicer.util"),
        ("slicer.packaging.", "modules", "slicer.packaging"),
        ("slicer.app.", "objects", "slicer.app"),
        ("slicer.app.layoutManager().", "objects", "slicer.app.layoutManager()"),
        ("slicer.modules.", "objects", "slicer.modules"),
    ],
)
def test_what_is_asked_of_slicer_is_there(api, prefix, group, name):
    asked = {chain.removeprefix(prefix) for _file, chain in _chains() if chain.startswith(prefix)}
    asked = {word for word in asked if word.isidentifier()} - MAY_BE_MISSING

    assert asked
    assert asked <= set(api[group][name])


def test_every_signal_that_is_connected_exists_in_this_spelling(api, a_slicer):
    known = {signal for widget in api["widgets"].values() for signal in widget["signals"]} | {
        "startupCompleted()"
    }
    asked = set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_connect = isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "connect"
            if is_connect and isinstance(node.args[0], ast.Constant):
                asked.add(node.args[0].value)
    a_slicer.load_module(MODULE)
    from ContrastiveSegPanel.settings_form import SIGNALS

    asked |= set(SIGNALS.values())

    assert len(asked) > 8
    assert asked <= known


def test_the_ui_file_sets_properties_that_its_widgets_have(api):
    tree = ElementTree.parse(ROOT / "ContrastiveSeg" / "Resources" / "UI" / "ContrastiveSeg.ui")
    names = {key.partition(".")[2]: key for key in api["widgets"]}
    shared = set(api["QWidget"]["properties"])
    wrong, seen = [], set()
    for widget in tree.iter("widget"):
        cls = widget.get("class")
        seen.add(cls)
        listed = shared | set(api["widgets"].get(names.get(cls), {"properties": []})["properties"])
        for found in widget.findall("property"):
            is_dynamic = found.get("stdset") == "0"
            if not is_dynamic and found.get("name") not in listed:
                wrong.append((cls, found.get("name")))

    assert {"ctkCollapsibleButton", "ctkPathLineEdit", "qMRMLNodeComboBox", "qMRMLWidget"} <= seen
    assert seen <= set(names) | {"QWidget"}
    assert wrong == []


def test_every_widget_the_code_asks_for_is_in_the_ui_file():
    tree = ElementTree.parse(ROOT / "ContrastiveSeg" / "Resources" / "UI" / "ContrastiveSeg.ui")
    there = {widget.get("name") for widget in tree.iter("widget")}
    asked = {
        chain.rpartition("ui.")[2]
        for file, chain in _chains()
        if chain.startswith(("ui.", "self.ui.", "panel.ui.")) and file != "ContrastiveSeg.py"
    }
    asked = {word.partition(".")[0] for word in asked}

    assert len(asked) > 30
    assert asked <= there
