"""The decorator `parameterNodeWrapper`: attributes with types, whose values live in a node of the scene."""

from __future__ import annotations

from typing import Any

import slicer

from .fields import Field, fields_of
from .packs import isParameterPack
from .stored_values import read_value, settle, write_value
from .widgets import WidgetConnections, widgets_by_name

_PASSED_ON = ("AddObserver", "RemoveObserver", "HasObserver", "StartModify", "EndModify", "Modified")


def parameterNodeWrapper(cls: type) -> type:
    """Turn the annotations of a class into parameters of a vtkMRMLScriptedModuleNode."""
    if any(isParameterNodeWrapper(base) for base in cls.__mro__[1:]):
        raise ValueError("Cannot use reserved name 'allParameters'")
    cls.allParameters = fields_of(cls)
    for field in cls.allParameters.values():
        setattr(cls, field.name, property(_reader(field), _writer(field)))
    cls.__init__ = _initialize
    cls._is_parameter_node_wrapper = True
    for name in _PASSED_ON:
        setattr(cls, name, _passed_on(name))
    for method in (
        getValue,
        setValue,
        default,
        dataType,
        isCached,
        connectGui,
        connectParametersToGui,
        disconnectGui,
    ):
        setattr(cls, method.__name__, method)
    return cls


def isParameterNodeWrapper(classOrInstance: Any) -> bool:
    """Whether it is a wrapper."""
    return getattr(classOrInstance, "_is_parameter_node_wrapper", False)


def _passed_on(name: str) -> Any:
    return lambda self, *arguments: getattr(self.parameterNode, name)(*arguments)


def _initialize(self: Any, parameterNode: Any, prefix: str | None = None) -> None:
    self.parameterNode = parameterNode
    self._prefix = f"{prefix}." if prefix else ""
    self._connections: dict[int, WidgetConnections] = {}
    with slicer.util.NodeModify(parameterNode):
        for field in type(self).allParameters.values():
            settle(parameterNode, self._prefix + field.name, field)


def _reader(field: Field) -> Any:
    return lambda self: read_value(self.parameterNode, self._prefix + field.name, field)


def _writer(field: Field) -> Any:
    return lambda self, value: write_value(self.parameterNode, self._prefix + field.name, field, value)


def _find(self: Any, name: str) -> Field:
    fields = type(self).allParameters
    *way, last = name.split(".")
    for part in way:
        fields = fields[part].datatype.allParameters
    if last not in fields:
        raise ValueError(f"Cannot find a parameter with the name '{name}'; there are {sorted(fields)}")
    return fields[last]


def getValue(self: Any, paramName: str) -> Any:
    """The value of a parameter, or of one in a pack."""
    return read_value(self.parameterNode, self._prefix + paramName, _find(self, paramName))


def setValue(self: Any, paramName: str, value: Any) -> None:
    """Set a parameter, or one in a pack."""
    write_value(self.parameterNode, self._prefix + paramName, _find(self, paramName), value)


def default(self: Any, paramName: str) -> Any:
    """The default of a parameter."""
    return _find(self, paramName).default()


def dataType(self: Any, paramName: str) -> Any:
    """The type of a parameter."""
    return _find(self, paramName).datatype


def isCached(self: Any, paramName: str) -> bool:
    """Values are read from the node each time."""
    del self, paramName
    return False


def connectGui(self: Any, gui: Any) -> int:
    """Tie every widget below `gui` that carries a parameter's name; the last of two with one name wins."""
    return connectParametersToGui(self, widgets_by_name(gui, _names(type(self).allParameters)))


def _names(fields: dict[str, Field]) -> list[str]:
    names = []
    for field in fields.values():
        inner = _names(field.datatype.allParameters) if isParameterPack(field.datatype) else []
        names += [field.name, *(f"{field.name}.{name}" for name in inner)]
    return names


def connectParametersToGui(self: Any, mapping: dict[str, Any]) -> int:
    """Tie widgets to parameters by name; the number ends it again."""
    connections = WidgetConnections(
        self, {name: (_find(self, name), widget) for name, widget in mapping.items()}
    )
    tag = max(self._connections, default=0) + 1
    self._connections[tag] = connections
    return tag


def disconnectGui(self: Any, tag: int) -> None:
    """End what `connectGui` began."""
    self._connections.pop(tag).disconnect()
