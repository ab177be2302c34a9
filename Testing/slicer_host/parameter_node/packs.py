"""Parameter packs: classes of parameters that are themselves a parameter (`opts.lr`)."""

from __future__ import annotations

from typing import Any

from .fields import Field, fields_of


def parameterPack(cls: type) -> type:
    """Give a class typed, checked fields, an initializer by keyword, and comparison."""
    fields = fields_of(cls)
    cls.allParameters = fields
    for field in fields.values():
        setattr(cls, field.name, _checked(field))
    cls.__init__ = _initialize
    cls.__eq__ = _equal
    cls.__hash__ = None
    cls.getValue = lambda self, name: _walk(self, name)
    cls.setValue = lambda self, name, value: _assign(self, name, value)
    cls._is_parameter_pack = True
    return cls


def isParameterPack(classOrInstance: Any) -> bool:
    """Whether it is a pack."""
    return getattr(classOrInstance, "_is_parameter_pack", False)


def nestedParameterNames(parameterPackClass: Any) -> list[str]:
    """All names with their dots, those of packs within included."""
    names = []
    for field in parameterPackClass.allParameters.values():
        inner = nestedParameterNames(field.datatype) if isParameterPack(field.datatype) else []
        names += [field.name, *(f"{field.name}.{name}" for name in inner)]
    return names


def _checked(field: Field) -> property:
    def read(pack: Any) -> Any:
        return vars(pack)[f"_{field.name}"]

    def write(pack: Any, value: Any) -> None:
        field.check(value)
        vars(pack)[f"_{field.name}"] = value

    return property(read, write)


def _initialize(pack: Any, *values: Any, **named: Any) -> None:
    fields = type(pack).allParameters
    given = {**dict(zip(fields, values, strict=False)), **named}
    if unknown := sorted(set(given) - set(fields)):
        raise ValueError(f"Unknown parameters {unknown}; there are {sorted(fields)}")
    for field in fields.values():
        setattr(pack, field.name, given[field.name] if field.name in given else field.default())


def _equal(pack: Any, other: Any) -> bool:
    names = type(pack).allParameters
    return type(pack) is type(other) and all(getattr(pack, n) == getattr(other, n) for n in names)


def _walk(pack: Any, name: str) -> Any:
    for part in name.split("."):
        pack = getattr(pack, part)
    return pack


def _assign(pack: Any, name: str, value: Any) -> None:
    *way, last = name.split(".")
    for part in way:
        pack = getattr(pack, part)
    setattr(pack, last, value)
