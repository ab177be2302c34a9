"""The fields of a wrapper or a pack: name, type, limits and default, read from the class."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from .annotations import Choice, Default, Validator
from .serializers import Kind, kind_of


class PackKind(Kind):
    """A pack within a pack or wrapper; its fields are stored one by one."""

    def default(self) -> Any:
        """A new pack with its own defaults."""
        return self.datatype()


@dataclass(frozen=True)
class Field:
    """One parameter."""

    name: str
    datatype: Any
    kind: Kind
    annotations: tuple[Any, ...]
    given: Any

    def default(self) -> Any:
        """The value to begin with, never shared between owners."""
        return copy.deepcopy(self.given[0]) if self.given else self._natural_default()

    def check(self, value: Any) -> None:
        """Raise TypeError for another type, ValueError for another value."""
        self.kind.check(value)
        for validator in self.annotations:
            if isinstance(validator, Validator):
                validator.validate(value)

    def annotation(self, kind: type) -> Any:
        """The annotation of this class, or None."""
        return next((found for found in self.annotations if isinstance(found, kind)), None)

    def _natural_default(self) -> Any:
        choice = self.annotation(Choice)
        return choice.choices[0] if choice else self.kind.default()


def fields_of(cls: type) -> dict[str, Field]:
    """The fields of a class; their defaults are checked at once."""
    fields = {}
    for name, hint in get_type_hints(cls, include_extras=True).items():
        if name in ("allParameters", "parameterNode"):
            raise ValueError(f"Cannot use reserved name '{name}'")
        fields[name] = _field(cls, name, hint)
    return fields


def _field(cls: type, name: str, hint: Any) -> Field:
    annotated = get_origin(hint) is Annotated
    datatype, *annotations = get_args(hint) if annotated else (hint,)
    pack = getattr(datatype, "_is_parameter_pack", False)
    kind = PackKind(datatype) if pack else kind_of(datatype, name)
    given = tuple(a.value for a in annotations if isinstance(a, Default))
    if name in vars(cls):
        given = (vars(cls)[name],)
    field = Field(name, datatype, kind, tuple(annotations), given[:1])
    if given:
        field.check(given[0])
    return field
