"""Which names of Slicer a module's files use, held against the list of names that Slicer has."""

from __future__ import annotations

import ast
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .api_list import ClassNames, SlicerApi

_OBJECTS = {
    "slicer.app": "slicer.app",
    "slicer.app.layoutManager()": "slicer.app.layoutManager()",
    "slicer.modules.segmentations.logic()": "slicer.modules.segmentations.logic()",
    "slicer.modules.volumes.logic()": "slicer.modules.volumes.logic()",
}
_MODULES = ("slicer.util", "slicer.packaging", "slicer.i18n", "slicer.parameterNodeWrapper")
# PythonQt has these for every object; the list, made from members, does not name them.
_EVERY_OBJECT = {
    "connect",
    "disconnect",
    "name",
    "className",
    "setParent",
    "blockSignals",
    "deleteLater",
    "parent",
}


@dataclass(frozen=True)
class Problem:
    """A name that Slicer has not, or has in another role."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        """As compilers say it."""
        return f"{self.file}:{self.line}: {self.text}"


def widget_classes(ui_files: Iterable[Path]) -> dict[str, str]:
    """The class of each named widget in these .ui files."""
    found = {}
    for path in ui_files:
        for widget in ElementTree.parse(path).iter("widget"):
            found[str(widget.get("name"))] = _full_name(str(widget.get("class")))
    return found


def _full_name(class_name: str) -> str:
    if class_name.startswith("ctk"):
        return f"ctk.{class_name}"
    return f"slicer.{class_name}" if class_name.startswith(("qMRML", "qSlicer")) else f"qt.{class_name}"


def names_used(files: Iterable[Path], ui_files: Iterable[Path], api: SlicerApi) -> list[Problem]:
    """All problems in these files."""
    widgets = widget_classes(ui_files)
    return [problem for path in files for problem in _Reader(path, widgets, api).problems()]


@dataclass
class _Reader:
    """Reads one file."""

    path: Path
    widgets: dict[str, str]
    api: SlicerApi
    _made: dict[str, str] = field(default_factory=dict)

    def problems(self) -> Iterator[Problem]:
        """The problems in the order of the lines."""
        tree = ast.parse(self.path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            for child in ast.iter_child_nodes(node):
                child.parent = node  # type: ignore[attr-defined]
        self._made = _made_widgets(tree)
        found = []
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                found += [(node.lineno, text) for text in self._imported(node)]
            if isinstance(node, ast.Attribute):
                found += [(node.lineno, text) for text in self._attribute(node)]
        yield from (Problem(self.path.name, line, text) for line, text in sorted(found))

    def _imported(self, node: ast.ImportFrom) -> Iterator[str]:
        module = str(node.module)
        if module not in _MODULES:
            return
        known = self.api.functions(module)
        yield from (f"{module} has no '{name.name}'" for name in node.names if name.name not in known)

    def _attribute(self, node: ast.Attribute) -> Iterator[str]:
        owner, name = _chain(node.value), node.attr
        if owner in _MODULES:
            yield from self._function(owner, node)
        elif owner in _OBJECTS:
            if name not in self.api.members(_OBJECTS[owner]):
                yield f"{owner} has no '{name}'"
        elif owner in ("ctk", "slicer"):
            if name not in self._top_level(owner) and not name.startswith("vtk"):
                yield f"{owner} has no '{name}'"
        elif _is_enumeration(owner) and name[0].isupper():
            yield f"{owner}.{name}: in PythonQt it is {owner.rpartition('.')[0]}.{name}"
        elif kind := self._class_of(owner):
            yield from self._of_widget(node, kind)

    def _of_widget(self, node: ast.Attribute, kind: str) -> Iterator[str]:
        names = self.api.class_names(kind)
        if names is None:
            return
        if node.attr == "connect":
            yield from _misspelt_signal(node, kind, names)
        elif node.attr not in _EVERY_OBJECT:
            yield from _misused(node, kind, names)

    def _top_level(self, owner: str) -> frozenset[str]:
        if owner == "ctk":
            return self.api.classes("ctk")
        return self.api.classes("slicer") | self.api.members("slicer (top-level names, not classes)")

    def _function(self, owner: str, node: ast.Attribute) -> Iterator[str]:
        known = self.api.functions(owner)
        if node.attr not in known:
            yield f"{owner} has no '{node.attr}'"
            return
        call, signature = _call_of(node), known[node.attr]
        if call is None or not signature.startswith("(") or "**" in signature:
            return
        accepted = parameters_of(signature)
        for keyword in call.keywords:
            if keyword.arg and keyword.arg not in accepted:
                yield f"{owner}.{node.attr} takes no '{keyword.arg}', but {', '.join(accepted)}"

    def _class_of(self, owner: str) -> str:
        """The class of `self.ui.name`, of a variable, or of an attribute that was made here."""
        before, _, last = owner.rpartition(".")
        if before == "ui" or before.endswith(".ui"):
            return self.widgets.get(last, "")
        return self._made.get(owner, "")


def _is_enumeration(owner: str) -> bool:
    """Whether it is written as Qt 6 may: `qt.QMessageBox.StandardButton`."""
    module, *names = owner.split(".")
    return module == "qt" and len(names) == 2 and all(name[:1].isupper() for name in names)


def _misused(node: ast.Attribute, kind: str, names: ClassNames) -> Iterator[str]:
    name, called = node.attr, _call_of(node) is not None
    if name not in names:
        yield f"{kind} has no '{name}'"
    elif name in names.properties:
        if called:
            yield f"{kind}.{name} is a property: read it without ()"
    elif isinstance(node.ctx, ast.Store):
        yield f"{kind}.{name} is no property: it cannot be assigned"
    elif name in names.signals or called:
        return
    elif name[:1].islower() and isinstance(
        getattr(node, "parent", None), (ast.Compare, ast.BoolOp, ast.UnaryOp, ast.If)
    ):
        yield f"{kind}.{name} is a method: call it"


def _misspelt_signal(node: ast.Attribute, kind: str, names: ClassNames) -> Iterator[str]:
    call = _call_of(node)
    first = call.args[0] if call is not None and call.args else None
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        signal = first.value.replace(" ", "")
        if signal not in names.signatures:
            yield f"{kind} has no signal '{signal}'"


def _call_of(node: ast.Attribute) -> ast.Call | None:
    parent = getattr(node, "parent", None)
    return parent if isinstance(parent, ast.Call) and parent.func is node else None


def _chain(node: ast.AST) -> str:
    """The dotted text of names, attributes and calls without arguments; other things are "?"."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_chain(node.value)}.{node.attr}"
    if isinstance(node, ast.Call) and not node.args and not node.keywords:
        return f"{_chain(node.func)}()"
    return "?"


def _made_widgets(tree: ast.AST) -> dict[str, str]:
    """Variables and attributes to which a new widget is assigned, always of one class in this file."""
    made: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            kind = _chain(node.value.func) if isinstance(node.value, ast.Call) else "?"
            made.setdefault(_chain(node.targets[0]), set()).add(kind)
    return {name: kinds.copy().pop() for name, kinds in made.items() if len(kinds) == 1}


def parameters_of(signature: str) -> list[str]:
    """The names in a text such as "(text, parent=None, **kwargs)"."""
    arguments = ast.parse(f"def f{_without_values(signature)}: pass").body[0].args  # type: ignore[attr-defined]
    found = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.kwarg)
    return [argument.arg for argument in found if argument is not None]


def _without_values(signature: str) -> str:
    """Defaults that print as <function ...> are no Python."""
    head, _, _ = signature.partition(" -> ")
    while "<" in head:
        start, end = head.index("<"), head.rindex(">")
        head = f"{head[:start]}None{head[end + 1 :]}"
    return head
