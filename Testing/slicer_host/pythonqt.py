"""PySide6 with the manners of PythonQt: properties are attributes, and no attribute can be misspelt."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Number
from types import MethodType
from typing import Any

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

MODULES = (QtCore, QtGui, QtWidgets, QtUiTools)
_SETTERS = {"bool": bool, "int": int, "uint": int, "double": float, "float": float, "QString": str}


def stand_in(cls: type) -> type:
    """Mark a class that takes the place of one of Slicer's: it refuses attributes that Slicer's has not."""
    cls._is_stand_in = True
    return cls


class QtProperty:
    """A Qt property, read and set as an attribute of every object that has it."""

    def __init__(self, name: str, method: Any) -> None:
        self.name = name
        self.method = method
        self.getter = None if method is None or isinstance(method, staticmethod) else method

    def __get__(self, widget: QtCore.QObject | None, owner: type | None = None) -> Any:
        """Read the property; on the class, give the method of that name (`QTimer.singleShot`)."""
        if widget is None:
            return self.method.__get__(None, owner) if self.method else self
        try:
            return self.getter(widget) if self.getter else QtCore.QObject.property(widget, self.name)
        except RuntimeError:
            raise ValueError(
                f"Trying to read property '{self.name}' from a destroyed {type(widget).__name__}"
            ) from None

    def __set__(self, widget: QtCore.QObject, value: Any) -> None:
        """Set the property as PythonQt does: numbers are cut to the type, any object has a text."""
        meta = widget.metaObject()
        declared = meta.property(meta.indexOfProperty(self.name))
        if not declared.isWritable():
            raise AttributeError(f"Property '{self.name}' of type '{declared.typeName()}' is not writable")
        if not widget.setProperty(self.name, _converted(self.name, declared.typeName(), value)):
            raise _refusal(self.name, declared.typeName(), value)


def _refusal(name: str, expected: str, value: Any) -> AttributeError:
    return AttributeError(
        f"Property '{name}' of type '{expected}' does not accept an object of type {type(value).__name__}"
    )


def _converted(name: str, expected: str, value: Any) -> Any:
    if expected not in _SETTERS:
        return value
    if expected != "QString" and not (isinstance(value, Number) or hasattr(value, "__index__")):
        raise _refusal(name, expected, value)
    return _SETTERS[expected](value)


def _set_attribute(widget: QtCore.QObject, name: str, value: Any) -> None:
    """Refuse attributes that Slicer's widget has not; a Python class derived from it may have its own."""
    cls = type(widget)
    attribute = _class_attribute(cls, name)
    if isinstance(attribute, QtCore.Property):
        if attribute.fset is None:
            raise AttributeError(f"Property '{name}' of a {cls.__name__} is not writable")
        attribute.fset(widget, value)
        return
    # The loader of .ui files gives each widget its children by name; PythonQt finds them that way too.
    # And PySide6 keeps a signal in the object once it was asked for.
    child = isinstance(value, QtCore.SignalInstance) or (
        isinstance(value, QtCore.QObject) and value.objectName == name
    )
    guarded = cls.__module__.startswith("PySide6") or vars(cls).get("_is_stand_in", False)
    if guarded and not child and not name.startswith("_") and not hasattr(attribute, "__set__"):
        raise AttributeError(f"'{cls.__name__}' object has no property '{name}' that could be assigned")
    _SETATTR(widget, name, value)


def _class_attribute(cls: type, name: str) -> Any:
    """The attribute as the classes hold it, without asking it for a value."""
    return next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)


def qt_classes() -> Iterator[type]:
    """Every class derived from QObject that PySide6 has; looking at each also loads it."""
    for module in MODULES:
        for name in dir(module):
            found = getattr(module, name)
            if isinstance(found, type) and issubclass(found, QtCore.QObject):
                yield found


def _lay_over(cls: type, getter_of_class: Any) -> None:
    meta = cls.staticMetaObject
    for index in range(meta.propertyCount()):
        name = meta.property(index).name()
        getter = vars(cls).get(name)
        if index >= meta.propertyOffset() or getter is not None:
            setattr(cls, name, QtProperty(name, getter))
    cls.__setattr__ = _set_attribute
    cls.__getattribute__ = _reading(getter_of_class)


def _reading(original: Any) -> Any:
    """PySide6 answers `connect` before it looks into any class, so it is caught here.

    Every class keeps its own way of reading: that of QFile knows methods that are static and bound at once.
    """

    def read(widget: QtCore.QObject, name: str) -> Any:
        if name in _CONNECTING:
            return MethodType(_CONNECTING[name], widget)
        return original(widget, name)

    return read


def _signature(sender: QtCore.QObject, signal: str) -> str | None:
    """The signal as PySide6 spells it: pointers to VTK objects travel as Python objects."""
    name, _, arguments = signal.replace(" ", "").rstrip(")").partition("(")
    types = [
        "PyObject" if kind.startswith(("vtk", "double*", "void*")) else kind
        for kind in arguments.replace("const", "").replace("&", "").split(",")
    ]
    signature = f"{name}({','.join(types)})"
    return signature if sender.metaObject().indexOfSignal(signature) >= 0 else None


def connect(sender: QtCore.QObject, signal: Any, *slot: Any) -> Any:
    """`button.connect('clicked(bool)', f)`; a wrong signal is only printed, as in Slicer."""
    if not isinstance(signal, str):
        # PySide6 itself asks here when it makes QTimer.singleShot: sender, signal, slot.
        return _CONNECT(signal, *slot)
    signature = _signature(sender, signal)
    if signature is None:
        print(f"QObject.connect: {type(sender).__name__} has no signal '{signal}'")
        return False
    return bool(_CONNECT(sender, QtCore.SIGNAL(signature), _slot(*slot)))


def _slot(receiver: Any, method: str | None = None) -> Any:
    return getattr(receiver, method.partition("(")[0]) if method else receiver


def disconnect(sender: QtCore.QObject, signal: str | None = None, slot: Any = None) -> bool:
    """`button.disconnect('clicked(bool)', f)`, or all of it with fewer arguments."""
    signature = _signature(sender, signal) if signal else None
    if signal and signature is None:
        print(f"QObject.disconnect: {type(sender).__name__} has no signal '{signal}'")
        return False
    if slot is None:
        return bool(_DISCONNECT(sender, QtCore.SIGNAL(signature) if signature else None, None, None))
    return bool(_DISCONNECT(sender, QtCore.SIGNAL(signature), slot))


_CONNECT = QtCore.QObject.connect
_DISCONNECT = QtCore.QObject.disconnect
_CONNECTING = {"connect": connect, "disconnect": disconnect}
_SETATTR = QtCore.QObject.__mro__[-2].__setattr__  # that of Shiboken.Object, the C level below all of them


def lay_over_pyside() -> None:
    """Give all of PySide6 PythonQt's manners; once for the process."""
    if hasattr(QtCore.QObject, "className"):
        return
    originals = {cls: cls.__getattribute__ for cls in qt_classes()}
    for cls, original in originals.items():
        _lay_over(cls, original)
        if "exec" in vars(cls):
            cls.exec_ = vars(cls)["exec"]
    QtCore.QObject.className = lambda widget: widget.metaObject().className()
    # slicer.util.findChildren and childWidgetVariables go by it.
    QtCore.QObject.name = property(lambda widget: widget.objectName)
