"""Observation of VTK objects by widgets, which ends when the widget is deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import shiboken6


class SceneObserver:
    """The observations of one widget."""

    def __init__(self, widget: Any) -> None:
        self._widget = widget
        self._tags: list[tuple[Any, int]] = []

    def observe(self, subject: Any, event: int, reaction: Callable[[], None]) -> None:
        """Call the reaction, without arguments, at each such event while the widget lives."""

        def react(_caller: Any, _event: str) -> None:
            if shiboken6.isValid(self._widget):
                reaction()
            else:
                self.clear()

        self._tags.append((subject, subject.AddObserver(event, react)))

    def clear(self) -> None:
        """Stop observing everything."""
        for subject, tag in self._tags:
            subject.RemoveObserver(tag)
        self._tags.clear()
