"""A form made of settings fields: each row has the field's name, its widget and its help."""

import qt

from .form_widgets import SIGNALS, kindOf, plain, valueOf, widgetFor
from .panel_words import inPanel


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
        self._rows: dict = {}

    def show(self, fields, values) -> None:
        """Replace all rows.

        Args:
            values: Key to value, as `values()` gave them; those of other forms are left out.
        """
        rows = self._newPage()
        self._rows = {}
        for field in fields:
            widget = widgetFor(field, values.get(".".join(field.key), field.default))
            widget.setObjectName("_".join((self._name, *field.key)))
            widget.toolTip = inPanel(field.help)
            label = qt.QLabel(field.caption)
            label.toolTip = widget.toolTip
            rows.addRow(label, widget)
            widget.connect(SIGNALS[kindOf(field)], lambda *_args: self._onChange())
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
        # A long name above its widget rather than a panel that is too wide.
        rows.setRowWrapPolicy(qt.QFormLayout.WrapLongRows)
        self._column.addWidget(self._page)
        return rows

    def values(self) -> dict:
        """Dotted key to value, only of what differs from the default.

        Raises:
            BadSetting: A text cannot be understood.
        """
        found = {key: valueOf(field, widget) for key, (field, widget) in self._rows.items()}
        return {".".join(k): v for k, v in found.items() if v != plain(self._rows[k][0].default)}

    def setEnabled(self, enabled: bool) -> None:
        """Let the user change values or not."""
        for _field, widget in self._rows.values():
            widget.enabled = enabled


def nested(values) -> dict:
    """Dotted keys as the groups of a settings file: {"grid.spacing": 1} to {"grid": {"spacing": 1}}."""
    settings: dict = {}
    for key, value in values.items():
        *groups, name = key.split(".")
        place = settings
        for group in groups:
            place = place.setdefault(group, {})
        place[name] = value
    return settings
