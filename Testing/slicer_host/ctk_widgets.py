"""Stand-ins for CTK's widgets: the looks are Qt's, the names and the behavior are CTK's."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGroupBox,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QSizePolicy,
    QStyle,
    QStyleOptionButton,
    QStylePainter,
    QTextBrowser,
    QWidget,
)

from .declared import declared
from .pythonqt import stand_in


def _show_contents(widget: QWidget, shown: bool) -> None:
    """Fold or unfold: children hidden by code stay hidden."""
    for child in widget.children():
        if isinstance(child, QWidget):
            if shown and child.property("_foldedAway"):
                child.setProperty("_foldedAway", None)
                child.setVisible(True)
            elif not shown and not child.isHidden():
                child.setProperty("_foldedAway", True)
                child.setVisible(False)
    widget.updateGeometry()


@stand_in
class ctkCollapsibleButton(QAbstractButton):
    """A step of a panel: a title that folds and unfolds what lies under it."""

    contentsCollapsed = Signal(bool)

    def __init__(self, parent: Any = None, text: str = "") -> None:
        if isinstance(parent, str):
            parent, text = None, parent
        super().__init__(parent)
        self.setText(text)
        self.setCheckable(True)
        self.setChecked(True)
        self.setContentsMargins(0, self._title_height(), 0, 0)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.toggled.connect(self._toggled)

    collapsed = declared(bool, "collapsed", False)
    collapsedHeight = declared(int, "collapsedHeight", 0)
    contentsFrameShape = declared(int, "contentsFrameShape", 0)
    flat = declared(bool, "flat", False)

    def _refresh(self, name: str) -> None:
        if name == "collapsed":
            self.setChecked(not self.collapsed)
            _show_contents(self, not self.collapsed)
            self.contentsCollapsed.emit(self.collapsed)

    def _toggled(self, unfolded: bool) -> None:
        self.collapsed = not unfolded

    def _title_height(self) -> int:
        return self.fontMetrics().height() + 8

    def childEvent(self, event: Any) -> None:
        """What is added while folded is hidden too."""
        if event.type() == QEvent.Type.ChildPolished and self.collapsed:
            _show_contents(self, False)
        super().childEvent(event)

    def hitButton(self, position: Any) -> bool:
        """Only the title can be clicked."""
        return position.y() < self._title_height()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the title with an arrow."""
        option = QStyleOptionButton()
        option.initFrom(self)
        option.rect.setHeight(self._title_height())
        option.text = ("▸ " if self.collapsed else "▾ ") + self.text
        painter = QStylePainter(self)
        painter.drawControl(QStyle.ControlElement.CE_PushButtonBevel, option)
        painter.drawText(
            option.rect.adjusted(6, 0, 0, 0),
            Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
            option.text,
        )

    def minimumSizeHint(self) -> QSize:
        """The title at least, and the contents when unfolded."""
        inner = self.layout().minimumSize() if self.layout() and not self.collapsed else QSize(0, 0)
        words = self.fontMetrics().horizontalAdvance(self.text) + 40
        return QSize(max(words, inner.width()), max(self._title_height(), inner.height()))

    def sizeHint(self) -> QSize:
        """As large as the contents like to be."""
        inner = self.layout().sizeHint() if self.layout() and not self.collapsed else QSize(0, 0)
        return self.minimumSizeHint().expandedTo(inner)


@stand_in
class ctkCollapsibleGroupBox(QGroupBox):
    """A group box that folds when its check mark is taken away."""

    def __init__(self, title: Any = "", parent: QWidget | None = None) -> None:
        if not isinstance(title, str):
            title, parent = "", title
        super().__init__(title, parent)
        self.setCheckable(True)
        self.toggled.connect(self._toggled)

    collapsed = declared(bool, "collapsed", False)
    collapsedHeight = declared(int, "collapsedHeight", 14)

    def _refresh(self, name: str) -> None:
        if name == "collapsed":
            self.setChecked(not self.collapsed)
            _show_contents(self, not self.collapsed)

    def _toggled(self, unfolded: bool) -> None:
        self.collapsed = not unfolded


@stand_in
class ctkDoubleSpinBox(QDoubleSpinBox):
    """A spin box that shows as many decimals as it is told."""

    decimalsChanged = Signal(int)
    decimalsOption = declared(int, "decimalsOption", 0)

    def _refresh(self, _name: str) -> None:
        """Nothing to redraw."""

    def setValueAlways(self, value: float) -> None:
        """Set the value and say so even if it is the same."""
        same = self.value == value
        self.setValue(value)
        if same:
            self.valueChanged.emit(value)

    def setValueIfDifferent(self, value: float) -> None:
        """Set the value."""
        self.setValue(value)


@stand_in
class ctkCheckBox(QCheckBox):
    """A check box."""


@stand_in
class ctkPushButton(QPushButton):
    """A push button."""


@stand_in
class ctkMenuButton(QPushButton):
    """A push button with a menu at its side."""


@stand_in
class ctkComboBox(QComboBox):
    """A combo box with a text for "nothing chosen"."""

    defaultText = declared(str, "defaultText", "")

    def _refresh(self, _name: str) -> None:
        self.setPlaceholderText(self.defaultText)


@stand_in
class ctkSearchBox(QLineEdit):
    """A line to type what is looked for."""

    showSearchIcon = declared(bool, "showSearchIcon", False)

    def _refresh(self, _name: str) -> None:
        self.update()


@stand_in
class ctkFittedTextBrowser(QTextBrowser):
    """A text as high as its words."""


@stand_in
class ctkMessageBox(QMessageBox):
    """What `slicer.util.errorDisplay` and its sisters open; here it never waits (`dialogs.py`)."""

    dontShowAgain = declared(bool, "dontShowAgain", False)
    dontShowAgainVisible = declared(bool, "dontShowAgainVisible", False)
    dontShowAgainSettingsKey = declared(str, "dontShowAgainSettingsKey", "")

    def _refresh(self, _name: str) -> None:
        """Nothing to redraw: it is never shown."""
