"""The parameter node wrapper, fact by fact as read from a running Slicer."""

from __future__ import annotations

import enum
import pathlib
from typing import Annotated, Any, Literal, Optional

import pytest
import slicer
import vtk

pytestmark = pytest.mark.usefixtures("a_slicer")


@pytest.fixture(scope="module", autouse=True)
def _slicer_is_there():
    from Testing.slicer_host.host import start

    start()


class Mode(enum.Enum):
    """Two members."""

    FAST = 1
    SLOW = 2


def wrapped(annotations, defaults=None):
    """A wrapper class of these fields."""
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    return parameterNodeWrapper(type("P", (), {"__annotations__": annotations, **(defaults or {})}))


def a_node():
    """A node for parameters, in the scene."""
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "parameters")


def test_defaults_without_a_value():
    kinds = {
        "s": str,
        "i": int,
        "f": float,
        "b": bool,
        "out": pathlib.Path,
        "mode": Mode,
        "l": list[str],
        "d": dict,
    }

    p = wrapped({**kinds, "image": slicer.vtkMRMLScalarVolumeNode})(a_node())

    assert [p.s, p.i, p.f, p.b, p.out, p.mode, p.l, p.d, p.image] == [
        "", 0, 0.0, False, pathlib.Path(), Mode.FAST, [], {}, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (str, "line\nwith 'quotes' <&> ü"),
        (int, -3),
        (float, 0.125),
        (bool, True),
        (pathlib.Path, pathlib.Path("/a b/c")),
        (Mode, Mode.SLOW),
        (list[str], ["a", "b"]),
        (list[float], [1.5, 2.0]),
        (list[Mode], [Mode.SLOW]),
        (list, [1, "a"]),
        (dict[str, int], {"a": 1}),
        (dict[str, list[float]], {"a": [1.0]}),
        (dict, {"a": [1, 2]}),
        (Optional[int], None),
        (Optional[float], 2.5),
        (Optional[pathlib.Path], pathlib.Path("x")),
        (str | None, "None"),
        (Any, {"k": (1, 2)}),
    ],
)
def test_values_are_stored_as_text_and_come_back(kind, value):
    cls, node = wrapped({"z": kind}), a_node()

    cls(node).z = value

    assert isinstance(node.GetParameter("z"), str)
    assert cls(node).z == value


def test_tuple_needs_a_default():
    assert wrapped({"z": tuple[int, str]}, {"z": (1, "a")})(a_node()).z == (1, "a")
    with pytest.raises(ValueError, match="Unexpected number of tuple values"):
        wrapped({"z": tuple[int, str]})(a_node())


@pytest.mark.parametrize("kind", [bytes, set, complex, Literal["a"], vtk.vtkPoints])
def test_types_that_cannot_be_stored(kind):
    with pytest.raises(Exception, match=r"Unable to create serializer for .* member z"):
        wrapped({"z": kind})


@pytest.mark.parametrize(
    ("kind", "value"), [(str, 5), (int, 2.7), (pathlib.Path, "/a"), (Mode, "slow"), (bool, 1)]
)
def test_types_are_strict(kind, value):
    p = wrapped({"z": kind})(a_node())

    with pytest.raises(TypeError, match=r"Value must be of type .*, is type"):
        p.z = value


def test_int_is_a_float():
    p = wrapped({"z": float})(a_node())
    p.z = 3
    assert p.z == 3.0


def test_ranges_and_choices():
    from slicer.parameterNodeWrapper import Choice, WithinRange

    p = wrapped(
        {"epochs": Annotated[int, WithinRange(1, 10)], "loss": Annotated[str, Choice(["dice", "ce"])]},
        {"epochs": 2},
    )(a_node())

    assert p.loss == "dice"
    with pytest.raises(ValueError, match="range"):
        p.epochs = 11
    with pytest.raises(ValueError, match="one of"):
        p.loss = "x"


def test_misspelt_field_is_accepted_silently():
    p = wrapped({"epochs": int})(a_node())
    p.epoch = 1
    assert "epoch" not in p.parameterNode.GetParameterNames()


def test_wrappers_cannot_inherit():
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    base = wrapped({"a": int})
    with pytest.raises(ValueError, match="Cannot use reserved name 'allParameters'"):
        parameterNodeWrapper(type("Q", (base,), {"__annotations__": {"b": int}}))


def test_enum_is_stored_by_name_and_packs_with_dots():
    from slicer.parameterNodeWrapper import parameterPack

    pack = parameterPack(type("Pack", (), {"__annotations__": {"lr": float, "mode": Mode}, "lr": 0.5}))
    p = wrapped({"mode": Mode, "opts": pack})(a_node())

    p.mode = Mode.SLOW
    p.opts.lr = 0.25
    p.setValue("opts.mode", Mode.SLOW)

    assert set(p.parameterNode.GetParameterNames()) == {"mode", "opts.lr", "opts.mode"}
    assert p.parameterNode.GetParameter("mode") == "SLOW"
    assert (p.opts.lr, p.getValue("opts.lr"), p.opts.mode) == (0.25, 0.25, Mode.SLOW)
    assert p.opts == pack(lr=0.25, mode=Mode.SLOW)


def test_stored_value_outlives_a_new_default_and_bad_text_is_refused():
    node = a_node()
    wrapped({"z": int}, {"z": 1})(node)
    assert wrapped({"z": int}, {"z": 2})(node).z == 1

    node.SetParameter("z", "many")
    with pytest.raises(ValueError, match="many"):
        wrapped({"z": int})(node)


def test_one_event_for_each_changed_value():
    p, events = wrapped({"a": int, "b": int})(a_node()), []
    p.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: events.append(1))

    p.a = 5
    p.a = 5
    assert len(events) == 1

    with slicer.util.NodeModify(p.parameterNode):
        p.a, p.b = 6, 7
    assert len(events) == 2


def test_node_parameters_are_references():
    p = wrapped({"image": slicer.vtkMRMLScalarVolumeNode})(a_node())
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")

    p.image = volume
    assert p.image is volume
    with pytest.raises(TypeError, match="Value must be of type"):
        p.image = p.parameterNode

    slicer.mrmlScene.RemoveNode(volume)
    assert p.image is None


def test_logic_node_is_a_singleton_that_survives_clear():
    from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

    class TrialLogic(ScriptedLoadableModuleLogic):
        """A logic."""

    logic = TrialLogic()
    node = logic.getParameterNode()
    p = wrapped({"z": int}, {"z": 3})(node)
    p.z = 8

    slicer.mrmlScene.Clear()

    assert logic.getParameterNode() is node
    assert (node.GetSingletonTag(), node.GetHideFromEditors()) == ("Trial", 1)
    assert p.z == 3
    p.z = 4
    assert p.z == 4


@pytest.mark.parametrize("ending", [".mrml", ".mrb"])
def test_values_survive_a_saved_scene(tmp_path, ending):
    from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

    class TrialLogic(ScriptedLoadableModuleLogic):
        """A logic."""

    cls = wrapped({"s": str, "out": pathlib.Path, "mode": Mode, "l": list[str]})
    p = cls(TrialLogic().getParameterNode())
    p.s, p.out, p.mode, p.l = "a\n'b' <&> ü", pathlib.Path("/x"), Mode.SLOW, ["y"]
    assert slicer.util.saveScene(str(tmp_path / f"scene{ending}"))
    slicer.mrmlScene.Clear()

    slicer.util.loadScene(str(tmp_path / f"scene{ending}"))

    again = cls(TrialLogic().getParameterNode())
    assert (again.s, again.out, again.mode, again.l) == ("a\n'b' <&> ü", pathlib.Path("/x"), Mode.SLOW, ["y"])
