"""The host offers only what Slicer has, and the panel uses only what Slicer has."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path

import pytest
import slicer
from PySide6.QtCore import Property, Signal

from Testing.slicer_host.api_list import SlicerApi, api_path
from Testing.slicer_host.host import start
from Testing.slicer_host.names_used import names_used, parameters_of
from Testing.slicer_host.offered import ctk_module, slicer_widgets

ROOT = Path(__file__).resolve().parents[2]
# How a widget is measured: properties for PythonQt, but methods that a derived class overrides.
OVERRIDDEN = {"sizeHint", "minimumSizeHint"}
# Classes that the list names without describing them: what they have is known from Slicer's examples.
KNOWN_FROM_EXAMPLES = {
    "qMRMLSliceView": {"forceRender", "renderWindow", "scheduleRender", "mrmlSliceNode", "mrmlScene"},
    "qMRMLThreeDView": {
        "forceRender", "renderWindow", "scheduleRender", "mrmlViewNode", "mrmlScene", "resetFocalPoint",
        "resetCamera", "rotateToViewAxis",
    },
    "qMRMLPlotViewControllerWidget": {"fitPlotToAxes"},
    "qMRMLTableWidget": {
        "tableView", "setMRMLTableViewNode", "mrmlSceneChanged", "mrmlScene", "setMRMLScene",
    },
    "qMRMLSpinBox": {
        "setMRMLScene", "decimalsChanged", "decimalsOption", "setValueAlways", "setValueIfDifferent",
    },
    "qMRMLCollapsibleButton": {"setMRMLScene", "mrmlSceneChanged"},
}  # fmt: skip


@pytest.fixture(scope="module")
def an_api() -> SlicerApi:
    """The list of Slicer's names."""
    if not api_path().is_file():
        pytest.skip(f"the list of Slicer's names is not there: {api_path()}")
    return SlicerApi(api_path())


def own_names(cls: type) -> dict[str, object]:
    """Public names that the stand-ins define themselves, what they inherit from one another included."""
    ours = [base for base in cls.__mro__ if base.__module__.startswith("Testing.slicer_host")]
    names = {name: value for base in reversed(ours) for name, value in vars(base).items()}
    return {name: value for name, value in names.items() if name[0] != "_" and name != "staticMetaObject"}


def described_stand_ins() -> list[tuple[str, type]]:
    """All stand-ins by the names of the list."""
    start()
    ctk = {name: cls for name, cls in vars(ctk_module()).items() if isinstance(cls, type)}
    return [(f"ctk.{n}", c) for n, c in ctk.items()] + [
        (f"slicer.{n}", c) for n, c in slicer_widgets().items()
    ]


def test_stand_ins_have_only_names_of_slicer(an_api):
    wrong = []
    for name, cls in described_stand_ins():
        known = an_api.class_names(name)
        for attribute, value in own_names(cls).items() if known else ():
            if attribute in OVERRIDDEN:
                continue
            right = (
                attribute in known.properties if isinstance(value, Property)
                else attribute in known.signals if isinstance(value, Signal)
                else attribute in known.methods
            )  # fmt: skip
            wrong += [] if right else [f"{name}.{attribute}"]

    assert wrong == []


def test_classes_of_stand_ins_exist_in_slicer(an_api):
    for name, _cls in described_stand_ins():
        prefix, _, class_name = name.partition(".")
        assert class_name in an_api.classes(prefix) | {
            "qSlicerApplication",
            "qSlicerSegmentEditorAbstractEffect",
        }


def test_classes_that_are_not_described_have_what_examples_use():
    stand_ins = dict(described_stand_ins())
    for name, known in KNOWN_FROM_EXAMPLES.items():
        assert set(own_names(stand_ins[f"slicer.{name}"])) - OVERRIDDEN - {"paintEvent", "resizeEvent"} - set(
            own_names(stand_ins["ctk.ctkCollapsibleButton"])
        ) <= known | {"viewWidget"}, name


@pytest.mark.parametrize(
    ("what", "cls"),
    [("slicer.app", "qSlicerApplication"), ("slicer.app.layoutManager()", "qSlicerLayoutManager")],
)
def test_application_and_layout_manager_have_only_names_of_slicer(an_api, what, cls):
    start()

    assert set(own_names(slicer_widgets()[cls])) <= an_api.members(what) | {"lastWindowClosed"}


def test_modules_of_the_host_are_modules_of_slicer(an_api):
    start().reset()

    assert set(vars(slicer.modules)) <= an_api.members("slicer.modules") | {"SegmentEditorWidget"}


@pytest.mark.parametrize(
    "module", ["slicer.packaging", "slicer.i18n", "slicer.parameterNodeWrapper", "slicer.util"]
)
def test_functions_are_those_of_slicer_with_its_signatures(an_api, module):
    start()
    known = an_api.functions(module)
    ours = importlib.import_module(module)
    public = getattr(
        ours, "__all__", [n for n in vars(ours) if inspect.isfunction(getattr(ours, n)) and n[0] != "_"]
    )

    for name in public:
        assert name in known or name == "LazyImport", f"{module}.{name}"
        if known.get(name, "").startswith("(") and inspect.isfunction(getattr(ours, name)):
            assert parameters_of(known[name]) == list(inspect.signature(getattr(ours, name)).parameters), name


@pytest.mark.parametrize("ending", ["", "Widget", "Logic", "Test"])
def test_base_classes_have_slicers_methods_and_signatures(an_api, ending):
    start()
    known = an_api.functions(f"slicer.ScriptedLoadableModule.ScriptedLoadableModule{ending}")
    cls = getattr(sys.modules["slicer.ScriptedLoadableModule"], f"ScriptedLoadableModule{ending}")

    for name, value in vars(cls).items():
        if inspect.isfunction(value) and not name.startswith("__"):
            assert name in known
            assert parameters_of(known[name]) == list(inspect.signature(value).parameters), name
    assert {name for name in known if not name.startswith("_")} <= set(dir(cls)) | {
        # unittest of Python 3.9 to 3.11, which Python 3.12 took away.
        *(name for name in known if name.startswith(("assert", "failIf", "failUnless"))),
    }


def test_misuse_is_found(an_api, tmp_path):
    module = tmp_path / "module.py"
    module.write_text(
        "import slicer, qt, ctk\n"
        "class W:\n"
        "    def setup(self):\n"
        "        self.ui.goButton.text()\n"
        "        self.ui.goButton.setTextt('x')\n"
        "        self.ui.goButton.connect('klicked()', self.go)\n"
        "        self.ui.goButton.click = 3\n"
        "        if not self.ui.goButton.isChecked: pass\n"
        "        slicer.util.lodUI('x')\n"
        "        slicer.util.loadVolume('x', props={})\n"
        "        slicer.app.slicerHomee\n"
        "        ctk.ctkFoo()\n"
        "        label = qt.QLabel('x')\n"
        "        label.text()\n"
        "        slicer.app.layoutManager().plotWidgets(0)\n"
        "        slicer.getNode('x'); qt.QMessageBox.StandardButton.Yes; slicer.vtkMRMLNode\n"
        "        self.ui.goButton.enabled = True; self.ui.goButton.clicked.connect(self.go)\n"
        "        self.ui.goButton.connect('clicked(bool)', self.go); slicer.util.loadUI('x')\n"
    )
    ui = tmp_path / "m.ui"
    ui.write_text('<ui><widget class="QPushButton" name="goButton"/></ui>')

    assert [str(problem).removeprefix("module.py:") for problem in names_used([module], [ui], an_api)] == [
        "4: qt.QPushButton.text is a property: read it without ()",
        "5: qt.QPushButton has no 'setTextt'",
        "6: qt.QPushButton has no signal 'klicked()'",
        "7: qt.QPushButton.click is no property: it cannot be assigned",
        "8: qt.QPushButton.isChecked is a method: call it",
        "9: slicer.util has no 'lodUI'",
        "10: slicer.util.loadVolume takes no 'props', but filename, properties, returnNode",
        "11: slicer.app has no 'slicerHomee'",
        "12: ctk has no 'ctkFoo'",
        "14: qt.QLabel.text is a property: read it without ()",
        "15: slicer.app.layoutManager() has no 'plotWidgets'",
        "16: qt.QMessageBox.StandardButton.Yes: in PythonQt it is qt.QMessageBox.Yes",
        "16: slicer has no 'getNode'",
    ]


def test_example_module_uses_only_names_of_slicer(an_api):
    folder = Path(__file__).parent / "ExampleModule"

    assert names_used(folder.glob("*.py"), folder.rglob("*.ui"), an_api) == []


def test_panel_uses_only_names_of_slicer(an_api):
    files = [*ROOT.glob("ContrastiveSeg/**/*.py"), *ROOT.glob("ContrastiveSegLib/slicer_bridge/*.py")]
    assert files

    problems = names_used(files, ROOT.glob("ContrastiveSeg/**/*.ui"), an_api)

    assert [str(problem) for problem in problems] == []
