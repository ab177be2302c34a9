"""Dialogs that never wait: each is written down, and answered as the test said before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

Answer = Any  # a button, a path, a text, or a function that receives the dialog and returns one of them


@dataclass(frozen=True)
class ShownDialog:
    """What the user would have read."""

    kind: str
    text: str
    title: str = ""
    details: str = ""


class Dialogs:
    """The dialogs shown so far, and the answers still to be given."""

    def __init__(self) -> None:
        self.shown: list[ShownDialog] = []
        self._answers: list[tuple[str, Answer]] = []

    def answer(self, answer: Answer, to: str = "") -> None:
        """Answer the next dialog whose text contains `to` (any, when empty) this way."""
        self._answers.append((to, answer))

    def texts(self) -> list[str]:
        """What all dialogs said, in order."""
        return [dialog.text for dialog in self.shown]

    def clear(self) -> None:
        """Forget what was shown and what should be answered."""
        self.shown.clear()
        self._answers.clear()

    def ask(self, shown: ShownDialog, widget: QtWidgets.QWidget | None = None, default: Answer = None) -> Any:
        """Write the dialog down and return the answer that waits for it, or the default if there is one."""
        self.shown.append(shown)
        for index, (to, answer) in enumerate(self._answers):
            if to in shown.text or to in shown.title:
                del self._answers[index]
                return answer(widget) if callable(answer) else answer
        if default is None:
            raise AssertionError(
                f"A dialog asked '{shown.text}' and no answer was given: call dialogs.answer(...)."
            )
        return default


DIALOGS = Dialogs()


def _execute(dialog: QtWidgets.QDialog) -> int:
    """In place of QDialog.exec: the dialog is never shown, so it cannot wait."""
    if isinstance(dialog, QtWidgets.QMessageBox):
        return _execute_message_box(dialog)
    words = "\n".join(label.text for label in dialog.findChildren(QtWidgets.QLabel))
    buttons = dialog.findChildren(QtWidgets.QAbstractButton)
    shown = ShownDialog(type(dialog).__name__, words, dialog.windowTitle)
    return DIALOGS.ask(shown, dialog, default=None if buttons else 0)


def _execute_message_box(box: QtWidgets.QMessageBox) -> int:
    words = "\n".join(filter(None, (box.text, box.informativeText)))
    shown = ShownDialog(type(box).__name__, words, box.windowTitle.strip(), box.detailedText)
    roles = [box.buttonRole(button) for button in box.buttons()]
    answers = [role for role in roles if role != box.ButtonRole.ActionRole]  # "Show Details..." is no answer
    return DIALOGS.ask(shown, box, default=box.StandardButton.Ok if len(answers) <= 1 else None)


def _message_box(kind: str) -> Callable[..., Any]:
    box = QtWidgets.QMessageBox

    def show(_parent: Any, title: str, text: str, buttons: Any = None, *_default: Any) -> Any:
        questions = kind == "question" or (buttons not in (None, box.StandardButton.Ok))
        shown = ShownDialog(f"QMessageBox.{kind}", text, title)
        return DIALOGS.ask(shown, default=None if questions else box.StandardButton.Ok)

    return show


def _file_dialog(kind: str, cancelled: Any) -> Callable[..., Any]:
    def show(_parent: Any = None, title: str = "", *_arguments: Any) -> Any:
        return DIALOGS.ask(ShownDialog(f"QFileDialog.{kind}", title, title), default=cancelled)

    return show


def _input_dialog(kind: str) -> Callable[..., Any]:
    def show(_parent: Any, title: str, label: str, *_arguments: Any) -> Any:
        return DIALOGS.ask(ShownDialog(f"QInputDialog.{kind}", label, title))

    return show


def lay_over_dialogs() -> None:
    """Replace all that would open a window and wait. Paths and texts come bare, as from PythonQt."""
    QtWidgets.QDialog.exec = QtWidgets.QDialog.exec_ = _execute
    for kind in ("question", "information", "warning", "critical", "about"):
        setattr(QtWidgets.QMessageBox, kind, staticmethod(_message_box(kind)))
    for kind in ("getExistingDirectory", "getOpenFileName", "getSaveFileName"):
        setattr(QtWidgets.QFileDialog, kind, staticmethod(_file_dialog(kind, "")))
    QtWidgets.QFileDialog.getOpenFileNames = staticmethod(_file_dialog("getOpenFileNames", ()))
    for kind in ("getText", "getItem", "getInt", "getDouble", "getMultiLineText"):
        setattr(QtWidgets.QInputDialog, kind, staticmethod(_input_dialog(kind)))
    QtGui.QDesktopServices.openUrl = staticmethod(_open_url)
    QtWidgets.QMenu.exec = QtWidgets.QMenu.exec_ = _execute_menu


def _execute_menu(menu: QtWidgets.QMenu, *_place: QtCore.QPoint) -> Any:
    words = "\n".join(action.text for action in menu.actions())
    return DIALOGS.ask(ShownDialog("QMenu", words), menu)


def _open_url(url: QtCore.QUrl) -> bool:
    """Nothing is opened; without an answer it is as on a machine with a desktop."""
    return bool(DIALOGS.ask(ShownDialog("QDesktopServices.openUrl", url.toString()), default=True))
