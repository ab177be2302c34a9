"""What a setting may be: a type hint taken apart into kind, range, choices and words for the error."""

from __future__ import annotations

import dataclasses
import functools
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Mark = TypeVar("Mark")


@dataclass(frozen=True)
class Range:
    """Allowed numbers, both ends included: `Annotated[int, Range(1, 1000)]`."""

    low: float
    high: float

    def __str__(self) -> str:
        # Not as it was written: typing takes Range(0, 1) and Range(0.0, 1.0) for one and keeps either.
        low, high = (int(n) if n == int(n) else n for n in (self.low, self.high))
        return f"from {low} to {high}"


@dataclass(frozen=True)
class Pattern:
    """Allowed texts as a regular expression, and the same in words for the error."""

    expression: str
    words: str


@dataclass(frozen=True)
class MayChange:
    """Says where a job runs, not what it computes: a resumed run may be started with another value."""


@dataclass(frozen=True)
class Positional:
    """Says that the command line takes this setting without a flag, right after the job."""


@dataclass(frozen=True)
class Flag:
    """Says which flag sets this on the command line, where it is not the name of the setting."""

    name: str


@dataclass(frozen=True)
class Formerly:
    """The earlier name of a setting: settings files and commands that use it still work."""

    name: str


@dataclass(frozen=True)
class MethodOf:
    """Says that this setting is the name of a method, and in which folder the method's file lies."""

    kind: str


@dataclass(frozen=True)
class NetworkName:
    """Says that this setting is the name of a network."""


@dataclass(frozen=True)
class IsFolder:
    """Says that this path is a folder, not a file; it may be new where the job writes there."""


@dataclass(frozen=True)
class IsFile:
    """Says that this path is a file, not a folder; it may be new where the job writes it."""


@dataclass(frozen=True)
class Label:
    """What a form calls a setting, in the words of the field: `Label("learning rate")`.

    Args:
        unit: Such as "mm"; "" for a plain number.
        choices: What a form calls the allowed values, in their order; empty: as they are.
    """

    text: str
    unit: str = ""
    choices: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.text} ({self.unit})" if self.unit else self.text


@dataclass(frozen=True)
class Rule:
    """What a type hint allows, taken apart.

    Args:
        kind: int, float, bool, str, Path, tuple, dict, or a dataclass.
        items: For a tuple: the hint of each item; one hint and `...` when the length is free.
    """

    kind: Any
    items: tuple[Any, ...] = ()
    choices: tuple[Any, ...] = ()
    optional: bool = False
    marks: tuple[object, ...] = ()

    def marked(self, mark: type[Mark]) -> Mark | None:
        """The mark of this class, such as `Flag`, if the hint carries one."""
        return next((found for found in self.marks if isinstance(found, mark)), None)

    @property
    def words(self) -> str:
        """The allowed values as they are named in an error."""
        return self._words_of_values() + (", or empty" if self.optional else "")

    def _words_of_values(self) -> str:
        if self.choices:
            return "one of " + ", ".join(repr(choice) for choice in self.choices)
        if pattern := self.marked(Pattern):
            return pattern.words
        if self.kind is tuple:
            item = rule_of(self.items[0]).words
            return (
                f"a list of {item}" if self.items[-1] is ... else f"a list of {len(self.items)}, each {item}"
            )
        allowed = self.marked(Range)
        return _KINDS.get(self.kind, "a group of settings") + (f" {allowed}" if allowed else "")


_KINDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    Path: "a path",
    dict: "a group of settings",
}


def rule_of(hint: Any) -> Rule:
    """Take a type hint apart: `Annotated`, `Literal`, `X | None`, `tuple[...]`, or a plain type.

    Raises:
        TypeError: The hint is none of these; the author of the dataclass has to choose another.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        inner = rule_of(arguments[0])
        return dataclasses.replace(inner, marks=(*inner.marks, *arguments[1:]))
    if origin in (Union, types.UnionType):
        inner = rule_of(_only_hint(hint))
        return dataclasses.replace(inner, optional=True)
    if origin is Literal:
        return Rule(kind=type(arguments[0]), choices=arguments)
    if origin in (tuple, dict):
        return Rule(kind=origin, items=arguments if origin is tuple else ())
    if hint in _KINDS or dataclasses.is_dataclass(hint):
        return Rule(kind=hint)
    raise TypeError(f"{hint!r} cannot be the type of a setting.")


def _only_hint(union: Any) -> Any:
    others = [hint for hint in get_args(union) if hint is not types.NoneType]
    if len(others) != 1 or len(get_args(union)) != 2:
        raise TypeError(f"{union!r} cannot be the type of a setting: one type, or one type and None.")
    return others[0]


def rules_of(cls: type) -> dict[str, Rule]:
    """The rule of each field of a settings dataclass, in the order of the fields; not to be changed."""
    return _rules_of(cls)


@functools.lru_cache(maxsize=256)
def _rules_of(cls: type) -> dict[str, Rule]:
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: rule_of(hints[field.name]) for field in dataclasses.fields(cls)}
