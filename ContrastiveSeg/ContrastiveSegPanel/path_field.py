"""A field for a path that acts when the path is complete: typed to its end, browsed for, or taken away."""

import qt

# An empty line cannot be finished with Return in CTK's widget, so a pause counts; a new path may follow.
PAUSE_MS = 600


class PathField:
    """One ctkPathLineEdit of the panel. CTK tells of each keystroke, and of none that empties the field.

    Args:
        widget: The ctkPathLineEdit.
        onPath: Called with a path when it is complete and another one than before, or chosen again.
    """

    def __init__(self, widget, onPath) -> None:
        self._widget, self._onPath = widget, onPath
        self.path, self._isTyped, self._before, self._isSameKey = self._text(), False, "", False
        self._pause = qt.QTimer(widget)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.connect("timeout()", self.settle)
        # The combo box around the line passes Return to it twice, before the event loop has its turn.
        self._nextKey = qt.QTimer(widget)
        self._nextKey.setSingleShot(True)
        self._nextKey.setInterval(0)
        self._nextKey.connect("timeout()", self._onNextKey)
        self._line = widget.comboBox().lineEdit()
        self._line.connect("textEdited(QString)", self._onTyped)
        self._line.connect("textChanged(QString)", self._onText)
        self._line.connect("returnPressed()", self._onReturn)
        self._line.connect("editingFinished()", self.settle)
        for child in widget.children():
            if child.className() == "QToolButton":
                # Whoever browses for the path that is there changes no text.
                child.connect("pressed()", self._onBrowse)
                child.connect("clicked()", self._onBrowsed)

    def show(self, path: str) -> None:
        """Write a path that is known already, and tell nobody."""
        self.path, self._isTyped = path, False
        self._pause.stop()
        if self._widget.currentPath != path:
            self._widget.currentPath = path

    def choose(self, path: str) -> None:
        """Write another path as if the user had chosen it."""
        self._isTyped = False
        self._widget.currentPath = path
        self.settle()

    def settle(self) -> None:
        """What stands there now is complete."""
        self._pause.stop()
        self._isTyped = False
        if self._text() != self.path:
            self.again()

    def again(self) -> None:
        """Take what stands there now, also if it was taken before."""
        self._isTyped, self.path, self._isSameKey = False, self._text(), True
        self._nextKey.start()
        self._onPath(self.path)

    def _text(self) -> str:
        return self._widget.currentPath.strip().strip('"')

    def _onTyped(self, _text: str) -> None:
        self._isTyped = True  # Qt tells this before textChanged

    def _onText(self, text: str) -> None:
        if not self._isTyped:
            self.settle()
        elif not text:
            self._pause.start()
        else:
            self._pause.stop()

    def _onReturn(self) -> None:
        if self._text() != self.path or not self._isSameKey:
            self.again()

    def _onNextKey(self) -> None:
        self._isSameKey = False

    def _onBrowse(self) -> None:
        self.settle()
        self._before = self.path

    def _onBrowsed(self) -> None:
        if self._text() == self._before:
            self.again()
