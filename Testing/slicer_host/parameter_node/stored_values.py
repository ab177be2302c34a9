"""Values in the node of the scene: what is missing is written, what is there must be readable."""

from __future__ import annotations

import functools
from typing import Any

import slicer

from .fields import Field, PackKind
from .serializers import NodeKind


def settle(node: Any, name: str, field: Field) -> None:
    """Write what is missing; what is stored must be readable."""
    if isinstance(field.kind, PackKind):
        pack = field.default()
        for inner in field.datatype.allParameters.values():
            settle(node, f"{name}.{inner.name}", _with_default(inner, getattr(pack, inner.name)))
    elif isinstance(field.kind, NodeKind):
        return
    elif node.GetParameterCount() and name in node.GetParameterNames():
        field.kind.from_text(node.GetParameter(name))
    else:
        node.SetParameter(name, field.kind.to_text(field.default()))


def _with_default(field: Field, value: Any) -> Field:
    return Field(field.name, field.datatype, field.kind, field.annotations, (value,))


def read_value(node: Any, name: str, field: Field) -> Any:
    """The value in the node; after the scene was cleared, the default."""
    if isinstance(field.kind, PackKind):
        inner = field.datatype.allParameters.values()
        return _live_pack(field, node, name, {f.name: read_value(node, f"{name}.{f.name}", f) for f in inner})
    if isinstance(field.kind, NodeKind):
        return node.GetNodeReference(name)
    if name not in node.GetParameterNames():
        return field.default()
    return field.kind.from_text(node.GetParameter(name))


def write_value(node: Any, name: str, field: Field, value: Any) -> None:
    """Check the value and store it; the node tells its observers only if something changed."""
    field.check(value)
    if isinstance(field.kind, PackKind):
        with slicer.util.NodeModify(node):
            for inner in field.datatype.allParameters.values():
                write_value(node, f"{name}.{inner.name}", inner, getattr(value, inner.name))
    elif isinstance(field.kind, NodeKind):
        if node.GetNodeReference(name) is not value:
            node.SetNodeReferenceID(name, value.GetID() if value is not None else None)
    else:
        text = field.kind.to_text(value)
        if name not in node.GetParameterNames() or node.GetParameter(name) != text:
            node.SetParameter(name, text)


def _live_pack(field: Field, node: Any, name: str, values: dict[str, Any]) -> Any:
    """A pack that writes its changes back into the node it was read from."""
    pack = field.datatype(**values)
    object.__setattr__(pack, "_home", (node, name))
    pack.__class__ = _derive(field.datatype)
    return pack


@functools.cache
def _derive(pack_class: type) -> type:
    def assign(pack: Any, name: str, value: Any) -> None:
        fields = pack_class.allParameters
        if name in fields:
            node, home = vars(pack)["_home"]
            write_value(node, f"{home}.{name}", fields[name], value)
        object.__setattr__(pack, name, value)

    def equal(pack: Any, other: Any) -> bool:
        names = pack_class.allParameters
        return isinstance(other, pack_class) and all(getattr(pack, n) == getattr(other, n) for n in names)

    return type(
        pack_class.__name__, (pack_class,), {"__setattr__": assign, "__eq__": equal, "__hash__": None}
    )
