"""How each kind of widget shows a parameter, for the pairs of type and widget that Slicer ties."""

from __future__ import annotations

import enum
import pathlib
from collections.abc import Callable
from typing import Any

import slicer
from PySide6 import QtWidgets

from ..ctk_choices import ctkDirectoryButton, ctkPathLineEdit
from ..ctk_sliders import ctkDoubleSlider, ctkSliderWidget
from ..ctk_widgets import ctkDoubleSpinBox
from ..mrml_widgets import qMRMLNodeComboBox
from .annotations import Choice, Decimals, Maximum, Minimum, SingleStep, WithinRange
from .fields import Field
from .serializers import ListKind

_UNBOUNDED = 2**31 - 1


class Connector:
    """One widget and one parameter."""

    signal = ""

    def __init__(self, field: Field, widget: Any) -> None:
        self.field, self.widget = field, widget
        self._reaction: Callable[[], None] | None = None
        self.prepare()

    def prepare(self) -> None:
        """Give the widget the limits and choices of the parameter."""

    def show(self, value: Any) -> None:
        """Parameter to widget."""
        raise NotImplementedError

    def value(self) -> Any:
        """Widget to parameter."""
        raise NotImplementedError

    def start(self, reaction: Callable[[], None]) -> None:
        """Call this whenever the user changes the widget."""
        self._reaction = lambda *_arguments: reaction()
        if self.signal:
            self.widget.connect(self.signal, self._reaction)

    def stop(self) -> None:
        """Stop calling."""
        if self.signal and self._reaction:
            self.widget.disconnect(self.signal, self._reaction)
            self._reaction = None


class _Attribute(Connector):
    """A widget whose property has the type of the parameter."""

    attribute = ""

    def show(self, value: Any) -> None:
        """Set the property, unless the widget says the same already: the cursor would jump."""
        if self.value() != value:
            setattr(self.widget, self.attribute, value)

    def value(self) -> Any:
        """The property."""
        return getattr(self.widget, self.attribute)


class _Line(_Attribute):
    attribute, signal = "text", "textChanged(QString)"


class _Label(_Attribute):
    attribute = "text"


class _Text(_Attribute):
    attribute, signal = "plainText", "textChanged()"


class _Check(_Attribute):
    attribute, signal = "checked", "toggled(bool)"


class _Number(_Attribute):
    """Spin boxes and sliders: limits, steps and decimals come from the annotations."""

    attribute = "value"
    needs_range = False

    def prepare(self) -> None:
        """Without a limit the range of the .ui file is lost, as in Slicer; sliders demand one."""
        low, high = self._limits()
        if self.needs_range and None in (low, high):
            raise RuntimeError(
                f"Cannot use a {type(self.widget).__name__} for parameter '{self.field.name}': "
                f"'{self.field.datatype}' types is unbounded, give it a WithinRange"
            )
        if decimals := self.field.annotation(Decimals):
            self.widget.decimals = decimals.value
        self.widget.minimum = -_UNBOUNDED if low is None else low
        self.widget.maximum = _UNBOUNDED if high is None else high
        if step := self.field.annotation(SingleStep):
            self.widget.singleStep = step.value

    def _limits(self) -> tuple[Any, Any]:
        if within := self.field.annotation(WithinRange):
            return within.minimum, within.maximum
        low, high = self.field.annotation(Minimum), self.field.annotation(Maximum)
        return (low.minimum if low else None), (high.maximum if high else None)

    def value(self) -> Any:
        """As the parameter's type."""
        return self.field.datatype(self.widget.value)


class _IntegerNumber(_Number):
    signal = "valueChanged(int)"


class _DecimalNumber(_Number):
    signal = "valueChanged(double)"


class _IntegerSlider(_IntegerNumber):
    needs_range = True


class _DecimalSlider(_DecimalNumber):
    needs_range = True


class _Combo(Connector):
    """A menu, filled with the members of an enumeration or the choices of a text."""

    signal = "currentIndexChanged(int)"

    def prepare(self) -> None:
        """Fill the menu."""
        choice = self.field.annotation(Choice)
        if choice is None and not _is_enum(self.field):
            raise RuntimeError(
                f"Parameter '{self.field.name}': a QComboBox for {self.field.datatype} "
                "requires the Choice annotation"
            )
        self._values = choice.choices if choice else list(self.field.datatype)
        self.widget.clear()
        for entry in self._values:
            self.widget.addItem(entry.name if isinstance(entry, enum.Enum) else str(entry))

    def show(self, value: Any) -> None:
        """Choose the entry."""
        self.widget.currentIndex = self._values.index(value)

    def value(self) -> Any:
        """The chosen entry."""
        return self._values[self.widget.currentIndex]


class _Path(Connector):
    attribute, signal = "currentPath", "currentPathChanged(QString)"

    def show(self, value: Any) -> None:
        """The path as text."""
        if pathlib.Path(getattr(self.widget, self.attribute)) != value:
            setattr(self.widget, self.attribute, str(value))

    def value(self) -> Any:
        """The text as path."""
        return pathlib.Path(getattr(self.widget, self.attribute))


class _Directory(_Path):
    attribute, signal = "directory", "directoryChanged(QString)"


class _NodeSelector(Connector):
    signal = "currentNodeChanged(vtkMRMLNode*)"

    def show(self, value: Any) -> None:
        """Choose the node; a selector without a scene stays empty and the parameter is kept."""
        if self.widget.mrmlScene() is not None:
            self.widget.setCurrentNode(value)

    def value(self) -> Any:
        """The chosen node."""
        return self.widget.currentNode()


# The first row that fits counts; derived widgets come before those they derive from.
_PAIRS: tuple[tuple[type, tuple[Any, ...], type[Connector]], ...] = (
    (ctkPathLineEdit, (pathlib.Path,), _Path),
    (ctkDirectoryButton, (pathlib.Path,), _Directory),
    (ctkDoubleSlider, (float, int), _DecimalSlider),
    (ctkSliderWidget, (float, int), _DecimalSlider),
    (ctkDoubleSpinBox, (float, int), _DecimalNumber),
    (QtWidgets.QDoubleSpinBox, (float,), _DecimalNumber),
    (QtWidgets.QSpinBox, (int,), _IntegerNumber),
    (QtWidgets.QSlider, (int,), _IntegerSlider),
    (QtWidgets.QCheckBox, (bool,), _Check),
    (QtWidgets.QPushButton, (bool,), _Check),
    (QtWidgets.QLineEdit, (str,), _Line),
    (QtWidgets.QTextEdit, (str,), _Text),
    (QtWidgets.QLabel, (str,), _Label),
)


def _is_enum(field: Field) -> bool:
    return isinstance(field.datatype, type) and issubclass(field.datatype, enum.Enum)


def _is_node(field: Field) -> bool:
    return isinstance(field.datatype, type) and issubclass(field.datatype, slicer.vtkMRMLNode)


def connector_for(field: Field, widget: Any) -> Connector:
    """The connector of the pair; RuntimeError for one that Slicer has not."""
    if isinstance(widget, qMRMLNodeComboBox) and _is_node(field):
        return _NodeSelector(field, widget)
    if isinstance(widget, QtWidgets.QComboBox) and (_is_enum(field) or field.datatype is str):
        return _Combo(field, widget)
    for widget_class, datatypes, connector in _PAIRS:
        if (
            isinstance(widget, widget_class)
            and field.datatype in datatypes
            and not isinstance(field.kind, ListKind)
        ):
            return connector(field, widget)
    raise RuntimeError(
        f"Unable to create GUI connector from datatype '{field.datatype}' "
        f"to widget type '{type(widget).__name__}'"
    )
