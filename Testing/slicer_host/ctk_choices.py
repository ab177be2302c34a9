"""Stand-ins for CTK's widgets that hold a path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QDir, QRegularExpression, QSize, Signal
from PySide6.QtGui import QRegularExpressionValidator
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QToolButton,
    QWidget,
)

from .declared import declared, forwarded, setter
from .pythonqt import stand_in


@stand_in
class ctkPathLineEdit(QWidget):
    """A path that is typed, chosen among earlier ones, or browsed for.

    As CTK's, it tells of every keystroke, and of nothing when it is emptied: an empty line is not
    acceptable, so that Return in it does not finish editing either.
    """

    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)

    # QDir's flags, which this class repeats.
    Dirs, Files, Drives, NoSymLinks = 1, 2, 4, 8
    AllEntries, NoDot, NoDotDot, NoDotAndDotDot = 7, 0x2000, 0x4000, 0x6000
    Readable, Writable, Executable, Hidden = 0x10, 0x20, 0x40, 0x100

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._box = QComboBox(self)
        self._box.editable = True
        self._least: QSize | None = None
        self._box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self._box.setCompleter(None)
        line = self._box.lineEdit()
        line.setValidator(QRegularExpressionValidator(QRegularExpression(".+"), self))
        self._was_valid = False
        self._button = QToolButton(self)
        self._button.text = "..."
        self._button.clicked.connect(self.browse)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._box, 1)
        row.addWidget(self._button)
        line.connect("textChanged(QString)", self._text_changed)

    currentPath = forwarded(str, "_box", "currentText")
    filters = declared(int, "filters", 0)
    label = declared(str, "label", "")
    minimumContentsLength = declared(int, "minimumContentsLength", 0)
    nameFilters = declared("QStringList", "nameFilters", [])
    settingKey = declared(str, "settingKey", "")
    showBrowseButton = declared(bool, "showBrowseButton", True)
    showHistoryButton = declared(bool, "showHistoryButton", True)
    setCurrentPath = setter("currentPath")

    def _refresh(self, _name: str) -> None:
        self._button.visible = self.showBrowseButton

    def minimumSizeHint(self) -> QSize:
        """As CTK's: wide enough for the path that is there when it is first shown, or as asked for."""
        if self._least is None or self.minimumContentsLength:
            characters = self.minimumContentsLength or len(self.currentPath) or 7
            width = (
                characters * self.fontMetrics().horizontalAdvance("X") + self._button.sizeHint.width() + 30
            )
            self._least = QSize(width, self._box.minimumSizeHint.height())
        return self._least

    def _text_changed(self, path: str) -> None:
        is_valid = self._box.lineEdit().hasAcceptableInput()
        if is_valid:
            self.currentPathChanged.emit(path)
        if is_valid != self._was_valid:
            self._was_valid = is_valid
            self.validInputChanged.emit(is_valid)

    def comboBox(self) -> QComboBox:
        """The inner combo box."""
        return self._box

    def browse(self) -> None:
        """Ask for a file or, when the filters want folders only, for a folder."""
        folders = self.filters & self.Dirs and not self.filters & self.Files
        ask = QFileDialog.getExistingDirectory if folders else QFileDialog.getOpenFileName
        if chosen := ask(self, "Select a file to save" if not folders else "Select a directory"):
            self.currentPath = chosen

    def addCurrentPathToHistory(self) -> None:
        """Keep the path among those that can be chosen later."""
        path = self.currentPath
        if path and self._box.findText(path) < 0:
            self._box.addItem(path)
            self.currentPath = path

    def retrieveHistory(self) -> None:
        """Earlier paths: a test has none."""


@stand_in
class ctkDirectoryButton(QWidget):
    """A button that shows a folder and asks for another one."""

    directoryChanged = Signal(str)
    directorySelected = Signal(str)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent if isinstance(parent, QWidget) else None)
        self._button = QPushButton(self)
        self._button.clicked.connect(self.browse)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._button)
        self._directory = QDir(".").absolutePath() if not isinstance(parent, str) else parent
        self._refresh("directory")

    directory = declared(str, "directory")
    caption = declared(str, "caption", "")
    text = declared(str, "text", "")

    def _refresh(self, name: str) -> None:
        self._button.text = self.text or self.directory
        if name == "directory":
            self._directory = str(Path(self.directory).absolute())
            self.directoryChanged.emit(self.directory)

    def browse(self) -> None:
        """Ask for another folder."""
        if chosen := QFileDialog.getExistingDirectory(self, self.caption):
            self.directory = chosen
            self.directorySelected.emit(chosen)
