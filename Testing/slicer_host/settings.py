"""`qt.QSettings` as PythonQt shows it: types are kept within a run, after a restart everything is text."""

from __future__ import annotations

from typing import Any, ClassVar

from PySide6 import QtCore


class QSettings(QtCore.QSettings):
    """Settings that know which values were set in this run; PySide6 would guess types from the text."""

    _of_this_run: ClassVar[set[tuple[str, str]]] = set()

    def setValue(self, key: str, value: Any) -> None:
        """Set a value."""
        self._of_this_run.add(self._place(key))
        super().setValue(key, value)

    def value(self, key: str, defaultValue: Any = None) -> Any:
        """The value as it was set, or its text if an earlier run set it."""
        value = super().value(key, defaultValue)
        return value if not self.contains(key) or self._place(key) in self._of_this_run else _as_text(value)

    def _place(self, key: str) -> tuple[str, str]:
        return self.fileName(), f"{self.group()}/{key}"

    @classmethod
    def forget_types(cls) -> None:
        """As if the application were started again."""
        cls._of_this_run.clear()


def _as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return tuple(map(_as_text, value)) or None
    return value if value is None else str(value)
