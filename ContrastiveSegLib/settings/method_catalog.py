"""List methods and strategies with their settings by reading the files, without importing torch."""

from __future__ import annotations

import ast
import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.registry import ENGINE, Entry, list_entries, title_of, unknown_name
from ContrastiveSegLib.settings.field_help import strings_under_fields
from ContrastiveSegLib.settings.recommended import RECOMMENDED, recommended_first
from ContrastiveSegLib.settings.rules import Formerly, Label, MethodOf, Pattern, Range, rule_of, rules_of
from ContrastiveSegLib.settings.schema import Settings, from_dict, to_dict

KINDS = ("pretraining", "finetuning")
# Options that are gone, with the value that means what is done now: settings of earlier runs name them.
RETIRED: dict[tuple[str, str], dict[str, Any]] = {
    ("pretraining", "polycl"): {"static": False},
    ("finetuning", "pclmix"): {"het_on_logits": False},
}

# The words a type hint in a method's Settings may use. Nothing else is known where hints are evaluated, so
# that reading a method can neither run its code nor import what it imports.
_WORDS = {
    **{word.__name__: word for word in (int, float, bool, str, tuple, Path, Range, Pattern, Label, Formerly)},
    **{"Annotated": Annotated, "Literal": Literal, "Optional": Optional, "Union": Union},
}


@dataclass(frozen=True)
class Field:
    """One setting of a method: what a form or a flag needs to know.

    Args:
        type: The Python name of the type without range and choices, such as "int" or "float | None".
        low: Lowest value allowed, or None.
        high: Highest value allowed, or None.
        choices: The allowed values, or empty.
        help: The string under the field.
        hint: The type hint itself.
    """

    name: str
    type: str
    default: Any
    low: float | None
    high: float | None
    choices: tuple[Any, ...]
    help: str
    hint: Any


@dataclass(frozen=True)
class MethodEntry:
    """A method or strategy: the folder its file lies in, the file's name, its caption and its settings."""

    kind: str
    name: str
    caption: str
    fields: tuple[Field, ...]

    @property
    def is_recommended(self) -> bool:
        """Whether it is among the few to try first."""
        return self.name in RECOMMENDED[self.kind]

    @property
    def title(self) -> str:
        """The caption's first words."""
        return title_of(self.caption)


def list_methods(folder: Path = ENGINE) -> tuple[MethodEntry, ...]:
    """Read every method's file below `folder`; of each kind the recommended ones first, then by name.

    A file `_name.py` is not a method.

    Raises:
        BadFile: A method's file cannot be understood; names file, line and remedy.
    """
    found = {kind: recommended_first(list_entries(folder / kind), kind) for kind in KINDS}
    return tuple(_entry(kind, entry) for kind, entries in found.items() for entry in entries)


def find_method(kind: str, name: str, folder: Path = ENGINE) -> MethodEntry:
    """The entry of one method.

    Raises:
        BadSetting: There is no such method; names those there are.
    """
    entries = {entry.name: entry for entry in list_methods(folder) if entry.kind == kind}
    if name not in entries:
        raise unknown_name(f"{kind} method", name, entries)
    return entries[name]


@functools.cache
def strategies_with_scans() -> tuple[str, ...]:
    """The fine-tuning strategies that learn from scans without annotation, as their files say."""
    room = [entry for entry in list_entries(ENGINE / "finetuning") if entry.defines("Strategy")]
    return tuple(entry.name for entry in room if _has_two_streams(entry))


def _has_two_streams(entry: Entry) -> bool:
    classes = [n for n in entry.tree.body if isinstance(n, ast.ClassDef) and n.name == "Strategy"]
    assigned = [node for cls in classes for node in cls.body if isinstance(node, ast.Assign)]
    return any(ast.unparse(node) == "two_streams = True" for node in assigned)


def settings_class(entry: MethodEntry) -> type:
    """A dataclass with the fields of the method's Settings, which `from_dict` can check without torch."""
    fields = [(field.name, field.hint, field.default) for field in entry.fields]
    return dataclasses.make_dataclass(f"{entry.name}_settings", fields, frozen=True, kw_only=True)


def complete_options(
    kind: str, name: str, options: Mapping[str, Any], *, folder: Path = ENGINE, source: str = ""
) -> dict[str, Any]:
    """Check a method's own settings and add the defaults of those not given; plain JSON values.

    Raises:
        BadSetting: No such method, an unknown key, a wrong type or a value out of range.
    """
    entry = find_method(kind, name, folder)
    options = without_retired(entry, options)
    return to_dict(from_dict(settings_class(entry), options, source=source or f"the settings of {name}"))


def without_retired(entry: MethodEntry, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of an earlier run, without those that the method no longer has and that changed nothing."""
    retired = RETIRED.get((entry.kind, entry.name), {})
    return {key: value for key, value in options.items() if key not in retired or value != retired[key]}


def chooser_of(cls: type) -> tuple[str, str]:
    """The setting of a job that names its method, and the kind of method."""
    marks = {name: rule.marked(MethodOf) for name, rule in rules_of(cls).items()}
    return next((name, mark.kind) for name, mark in marks.items() if mark is not None)


def with_all_options(settings: Settings) -> Settings:
    """The settings of a job with every option of its method written out; of a job without method as they are.

    Raises:
        BadSetting: As `complete_options`.
    """
    if "options" not in rules_of(type(settings)):
        return settings
    chooser, kind = chooser_of(type(settings))
    given = vars(settings)
    options = complete_options(kind, given[chooser], given["options"])
    return dataclasses.replace(settings, options=options)  # type: ignore[type-var]


def _entry(kind: str, entry: Entry) -> MethodEntry:
    if not entry.caption:
        raise BadFile(
            f"The method {entry.path} has no caption.", "Begin the file with a docstring of one sentence."
        )
    classes = [node for node in entry.tree.body if isinstance(node, ast.ClassDef) and node.name == "Settings"]
    fields = tuple(field for node in classes for field in _fields(node, entry.path))
    return MethodEntry(kind, entry.name, entry.caption, fields)


def _fields(definition: ast.ClassDef, path: Path) -> list[Field]:
    help_of = strings_under_fields(definition)
    found = []
    for node in definition.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            if node.target.id not in help_of:
                raise _not_understood(path, node, "has no help", "Write a string under it")
            found.append(_field(node.target.id, node, help_of[node.target.id], path))
    return found


def _field(name: str, node: ast.AnnAssign, help_text: str, path: Path) -> Field:
    try:
        hint = eval(compile(ast.Expression(node.annotation), str(path), "eval"), {"__builtins__": {}}, _WORDS)
        rule = rule_of(hint)
    except (NameError, TypeError, AttributeError) as error:
        remedy = "Use " + ", ".join(_WORDS)
        raise _not_understood(path, node, f"has a type that a form cannot show ({error})", remedy) from error
    allowed = rule.marked(Range)
    low, high = (allowed.low, allowed.high) if allowed else (None, None)
    return Field(
        name, _bare_type(node.annotation), _default(node, path), low, high, rule.choices, help_text, hint
    )


def _default(node: ast.AnnAssign, path: Path) -> Any:
    try:
        return ast.literal_eval(node.value)  # type: ignore[arg-type]
    except (ValueError, TypeError) as error:
        raise _not_understood(
            path, node, "has no plain default", "Write a number, text or tuple after ="
        ) from error


def _bare_type(hint: ast.expr) -> str:
    """The hint as text, without what `Annotated` adds, and with the type of the choices for `Literal`."""
    if isinstance(hint, ast.BinOp):
        return f"{_bare_type(hint.left)} | {_bare_type(hint.right)}"
    if isinstance(hint, ast.Subscript) and isinstance(hint.value, ast.Name):
        inside = hint.slice.elts if isinstance(hint.slice, ast.Tuple) else [hint.slice]
        if hint.value.id == "Annotated":
            return _bare_type(inside[0])
        if hint.value.id == "Literal":
            return type(ast.literal_eval(inside[0])).__name__
        if hint.value.id == "Optional":
            return f"{_bare_type(inside[0])} | None"
    return ast.unparse(hint)


def _not_understood(path: Path, node: ast.AnnAssign, reason: str, remedy: str) -> BadFile:
    field = ast.unparse(node.target)
    return BadFile(f"The setting {field!r} in {path}, line {node.lineno}, {reason}.", f"{remedy}.")
