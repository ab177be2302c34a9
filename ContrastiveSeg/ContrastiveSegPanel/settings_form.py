"""A form made of settings fields: each widget knows its range, its default and its help."""

import math
from pathlib import Path

import qt
from slicer.i18n import tr as _

from ContrastiveSegLib.errors import BadSetting

SIGNALS = {
    "choice": "currentIndexChanged(int)",
    "flag": "toggled(bool)",
    "whole": "valueChanged(int)",
    "number": "valueChanged(double)",
    "text": "textChanged(QString)",
}


class SettingsForm:
    """Rows in a form layout that can be filled, read and replaced.

    Args:
        parent: Empty widget that the form may use.
        name: What the names of its widgets begin with.
        onChange: Called after each change by the user.
    """

    def __init__(self, parent, name: str, onChange) -> None:
        self._column = qt.QVBoxLayout(parent)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._page = None
        self._name, self._onChange = name, onChange
        self._rows = {}

    def show(self, fields, values) -> None:
        """Replace all rows.

        Args:
            values: Key to value, as `values()` gave them; those of other forms are left out.
        """
        rows = self._newPage()
        self._rows = {}
        for field in fields:
            widget = _widgetFor(field, values.get(".".join(field.key), field.default))
            widget.setObjectName("_".join((self._name, *field.key)))
            widget.toolTip = field.help
            label = qt.QLabel(field.caption)
            label.toolTip = field.help
            rows.addRow(label, widget)
            widget.connect(SIGNALS[_kindOf(field)], lambda *_args: self._onChange())
            self._rows[field.key] = (field, widget)

    def _newPage(self):
        """An empty form in place of the last one."""
        if self._page is not None:
            self._page.hide()
            self._page.setParent(None)
            self._page.deleteLater()
        self._page = qt.QWidget()
        rows = qt.QFormLayout(self._page)
        rows.setContentsMargins(0, 0, 0, 0)
        self._column.addWidget(self._page)
        return rows

    def values(self) -> dict:
        """Dotted key to value, only of what differs from the default.

        Raises:
            BadSetting: A text cannot be understood.
        """
        found = {key: _value(field, widget) for key, (field, widget) in self._rows.items()}
        return {".".join(k): v for k, v in found.items() if v != _plain(self._rows[k][0].default)}

    def setEnabled(self, enabled: bool) -> None:
        """Let the user change values or not."""
        for _field, widget in self._rows.values():
            widget.enabled = enabled

    def widget(self, *key):
        """The widget of a setting."""
        return self._rows[key][1]


def nested(values) -> dict:
    """Dotted keys as the groups of a settings file: {"grid.spacing": 1} to {"grid": {"spacing": 1}}."""
    settings = {}
    for key, value in values.items():
        *groups, name = key.split(".")
        place = settings
        for group in groups:
            place = place.setdefault(group, {})
        place[name] = value
    return settings


def _kindOf(field) -> str:
    """Which widget a setting gets; texts also hold what may be empty, lists and paths."""
    rule = field.rule
    if rule.choices:
        return "choice"
    if rule.kind is bool:
        return "flag"
    if rule.kind in (int, float) and not rule.optional and field.bounds:
        return "whole" if rule.kind is int else "number"
    return "text"


def _widgetFor(field, value):
    kind = _kindOf(field)
    if kind == "choice":
        widget = qt.QComboBox()
        for choice in field.rule.choices:
            widget.addItem(str(choice))
        widget.currentIndex = max(0, widget.findText(str(value)))
    elif kind == "flag":
        widget = qt.QCheckBox()
        widget.checked = bool(value)
    elif kind == "text":
        widget = qt.QLineEdit()
        isOpen = field.rule.optional or field.default in ("", ())
        widget.setPlaceholderText(_("automatic") if isOpen else "")
        widget.text = _text(value)
    else:
        widget = _numberWidget(field)
        widget.value = value
    return widget


def _numberWidget(field):
    low, high = field.bounds
    if field.rule.kind is int:
        widget = qt.QSpinBox()
        widget.setRange(int(low), int(min(high, 2**31 - 1)))
        return widget
    widget = qt.QDoubleSpinBox()
    # Decimals before value: 0.0003 would otherwise become 0.00.
    smallest = min((abs(x) for x in (field.default, low) if x), default=0.01)
    widget.setDecimals(max(2, 2 - math.floor(math.log10(smallest))))
    widget.setRange(low, high)
    widget.setSingleStep(
        10 ** math.floor(math.log10(abs(field.default) or 1)) / (1 if field.default >= 1 else 2)
    )
    return widget


def _value(field, widget):
    kind = _kindOf(field)
    if kind == "choice":
        return field.rule.choices[widget.currentIndex]
    if kind == "flag":
        return bool(widget.checked)
    if kind == "whole":
        return int(widget.value)
    if kind == "number":
        return round(float(widget.value), 12)
    return _parsed(field, widget.text.strip())


def _parsed(field, text):
    if not text:
        return None if field.rule.optional else _plain(field.default)
    try:
        if field.rule.kind is tuple:
            return [_number(word) for word in text.replace(",", " ").split()]
        return field.rule.kind(text) if field.rule.kind in (int, float) else text
    except ValueError as error:
        what = _("The setting '{name}' is '{text}'; allowed is {words}.")
        raise BadSetting(
            what.format(name=field.caption, text=text, words=field.rule.words),
            _("Change it, and start again."),
        ) from error


def _number(word: str):
    try:
        return int(word)
    except ValueError:
        try:
            return float(word)
        except ValueError:
            return word  # a list of names


def _plain(value):
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value


def _text(value) -> str:
    if value is None:
        return ""
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
