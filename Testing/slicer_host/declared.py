"""Properties and setters of the stand-ins, declared in one line each."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Property


def declared(kind: Any, name: str, default: Any = None) -> Property:
    """A Qt property that remembers its value and calls `_refresh(name)` of the widget when it changes."""

    def read(widget: Any) -> Any:
        return vars(widget).get(f"_{name}", default)

    def write(widget: Any, value: Any) -> None:
        if read(widget) != value:
            setattr(widget, f"_{name}", value)
            widget._refresh(name)

    return Property(kind, read, write)


def setter(name: str) -> Any:
    """The slot that sets a property: `setCollapsed = setter("collapsed")`."""

    def write(widget: Any, value: Any) -> None:
        setattr(widget, name, value)

    return write


def forwarded(kind: Any, child: str, name: str) -> Property:
    """A Qt property that is that of an inner widget."""

    def read(widget: Any) -> Any:
        return getattr(getattr(widget, child), name)

    def write(widget: Any, value: Any) -> None:
        setattr(getattr(widget, child), name, value)

    return Property(kind, read, write)
