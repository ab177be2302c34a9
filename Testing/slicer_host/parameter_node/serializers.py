"""How a value becomes text and text a value, and which types a parameter may have."""

from __future__ import annotations

import ast
import enum
import pathlib
import types
from typing import Any, Union, get_args, get_origin

import slicer

_PLAIN = {str: "", int: 0, float: 0.0, bool: False, pathlib.Path: pathlib.Path()}


class Kind:
    """A type of parameter: what is checked, and how it is stored."""

    def __init__(self, datatype: Any) -> None:
        self.datatype = datatype

    def default(self) -> Any:
        """The value without a default."""
        return None

    def check(self, value: Any) -> None:
        """Raise TypeError for another type."""
        if not self.accepts(value):
            raise TypeError(f"Value must be of type '{self.datatype}', is type '{type(value)}'")

    def accepts(self, value: Any) -> bool:
        """Whether the value has the type."""
        return isinstance(value, self.datatype)

    def to_text(self, value: Any) -> str:
        """The text that is stored."""
        return str(value)

    def from_text(self, text: str) -> Any:
        """The value; ValueError when the text is none."""
        return self.datatype(text)


class PlainKind(Kind):
    """Text, number, yes or no, path."""

    def default(self) -> Any:
        """Nothing, zero, no, or the current folder."""
        return _PLAIN[self.datatype]

    def accepts(self, value: Any) -> bool:
        """An int is also a float."""
        return isinstance(value, (int, float) if self.datatype is float else self.datatype)

    def to_text(self, value: Any) -> str:
        """A float that was an int is written as a float."""
        return str(float(value)) if self.datatype is float else str(value)

    def from_text(self, text: str) -> Any:
        """ "False" is not true."""
        if self.datatype is not bool:
            return self.datatype(text)
        if text not in ("True", "False"):
            raise ValueError(f"could not convert string to bool: '{text}'")
        return text == "True"


class EnumKind(Kind):
    """A member of an enumeration, stored by its name."""

    def default(self) -> Any:
        """The first member."""
        return next(iter(self.datatype))

    def to_text(self, value: Any) -> str:
        """The name."""
        return value.name

    def from_text(self, text: str) -> Any:
        """The member of that name."""
        if text not in self.datatype.__members__:
            raise ValueError(f"'{text}' is not a member of {self.datatype}")
        return self.datatype[text]


class AnyKind(Kind):
    """Anything that Python can write as a literal."""

    def accepts(self, _value: Any) -> bool:
        """Everything."""
        return True

    def to_text(self, value: Any) -> str:
        """The literal."""
        return repr(value)

    def from_text(self, text: str) -> Any:
        """The literal's value."""
        return ast.literal_eval(text)


class ListKind(Kind):
    """A list whose entries have one type."""

    def __init__(self, entry: Kind) -> None:
        super().__init__(list)
        self.entry = entry

    def default(self) -> list[Any]:
        """A new empty list each time."""
        return []

    def accepts(self, value: Any) -> bool:
        """A list, entry by entry."""
        return isinstance(value, list) and all(self.entry.accepts(entry) for entry in value)

    def to_text(self, value: Any) -> str:
        """A literal of texts."""
        return repr([self.entry.to_text(entry) for entry in value])

    def from_text(self, text: str) -> Any:
        """The list."""
        return [self.entry.from_text(entry) for entry in ast.literal_eval(text)]


class TupleKind(Kind):
    """A tuple with a type at each place."""

    def __init__(self, entries: list[Kind]) -> None:
        super().__init__(tuple)
        self.entries = entries

    def default(self) -> Any:
        """Slicer breaks here, from the second wrapper of a scene on."""
        raise ValueError("Unexpected number of tuple values: a tuple parameter needs a default")

    def accepts(self, value: Any) -> bool:
        """A tuple, place by place."""
        fits = isinstance(value, tuple) and len(value) == len(self.entries)
        return fits and all(kind.accepts(entry) for kind, entry in zip(self.entries, value, strict=True))

    def to_text(self, value: Any) -> str:
        """A literal of texts."""
        return repr(tuple(kind.to_text(entry) for kind, entry in zip(self.entries, value, strict=True)))

    def from_text(self, text: str) -> Any:
        """The tuple."""
        return tuple(
            k.from_text(entry) for k, entry in zip(self.entries, ast.literal_eval(text), strict=True)
        )


class DictKind(Kind):
    """A mapping with one type of keys and one of values."""

    def __init__(self, key: Kind, value: Kind) -> None:
        super().__init__(dict)
        self.key, self.value = key, value

    def default(self) -> dict[Any, Any]:
        """A new empty mapping each time."""
        return {}

    def accepts(self, value: Any) -> bool:
        """A dict, pair by pair."""
        return isinstance(value, dict) and all(
            self.key.accepts(k) and self.value.accepts(v) for k, v in value.items()
        )

    def to_text(self, value: Any) -> str:
        """A literal of texts."""
        return repr({self.key.to_text(k): self.value.to_text(v) for k, v in value.items()})

    def from_text(self, text: str) -> Any:
        """The mapping."""
        pairs = ast.literal_eval(text).items()
        return {self.key.from_text(k): self.value.from_text(v) for k, v in pairs}


class OptionalKind(Kind):
    """A value or None."""

    def __init__(self, inner: Kind, datatype: Any) -> None:
        super().__init__(datatype)
        self.inner = inner

    def accepts(self, value: Any) -> bool:
        """None too."""
        return value is None or self.inner.accepts(value)

    def to_text(self, value: Any) -> str:
        """A mark tells None from the text "None"."""
        return "None" if value is None else f"Some:{self.inner.to_text(value)}"

    def from_text(self, text: str) -> Any:
        """The value, or None."""
        return None if text == "None" else self.inner.from_text(text.removeprefix("Some:"))


class NodeKind(Kind):
    """A node of the scene, kept as a reference."""

    def accepts(self, value: Any) -> bool:
        """None is no node yet."""
        return value is None or isinstance(value, self.datatype)

    def to_text(self, value: Any) -> str:
        """The identifier."""
        return value.GetID() if value is not None else ""

    def from_text(self, text: str) -> Any:
        """The node of that identifier."""
        return slicer.mrmlScene.GetNodeByID(text) if text else None


def kind_of(datatype: Any, name: str) -> Kind:
    """The kind of a type; the types that Slicer cannot store are refused as there."""
    origin, arguments = get_origin(datatype), get_args(datatype)
    if datatype in _PLAIN:
        return PlainKind(datatype)
    if datatype is Any:
        return AnyKind(datatype)
    if isinstance(datatype, type) and issubclass(datatype, enum.Enum):
        return EnumKind(datatype)
    if isinstance(datatype, type) and issubclass(datatype, slicer.vtkMRMLNode):
        return NodeKind(datatype)
    return _kind_of_several(datatype, origin, arguments, name)


def _kind_of_several(datatype: Any, origin: Any, arguments: tuple[Any, ...], name: str) -> Kind:
    if list in (datatype, origin):
        return ListKind(kind_of((*arguments, Any)[0], name))
    if dict in (datatype, origin):
        key, value = (*arguments, Any, Any)[:2]
        return DictKind(kind_of(key, name), kind_of(value, name))
    if origin is tuple:
        return TupleKind([kind_of(entry, name) for entry in arguments])
    inner = [argument for argument in arguments if argument is not types.NoneType]
    if origin in (Union, types.UnionType) and len(inner) == 1 and len(arguments) == 2:
        return OptionalKind(kind_of(inner[0], name), datatype)
    raise Exception(f"Unable to create serializer for {datatype} member {name}")
