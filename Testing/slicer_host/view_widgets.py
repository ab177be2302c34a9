"""Slice and 3D views: real displayable managers render off-screen, a Qt widget shows the picture."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget
from trame_slicer.views import SliceView, ThreeDView
from trame_slicer.views.abstract_view import ViewProps
from trame_slicer.views.render_scheduler import ScheduledRenderStrategy
from vtkmodules.vtkRenderingCore import vtkRenderWindow

from .mrml_widgets import qMRMLWidget
from .pictures import as_qt_image, picture_of
from .pythonqt import stand_in

_ORIENTATIONS = {"Red": "Axial", "Green": "Coronal", "Yellow": "Sagittal"}


class RenderedWidget(QWidget):
    """A widget that paints what a render window shows."""

    def __init__(self, window: vtkRenderWindow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._window = window
        self.setMinimumSize(80, 60)

    def renderWindow(self) -> vtkRenderWindow:
        """The off-screen render window."""
        return self._window

    def _fit(self) -> None:
        """Give the render window the size of the widget."""
        self._window.SetSize(max(self.width, 1), max(self.height, 1))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep both sizes equal."""
        self._fit()
        super().resizeEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the rendered picture."""
        self._fit()
        QPainter(self).drawImage(self.rect, as_qt_image(picture_of(self._window)))


class WhenPainted(ScheduledRenderStrategy):
    """Rendering waits until Qt paints or a test takes a picture: every change at once would be slow."""

    def __init__(self) -> None:
        super().__init__()
        self.widget: QWidget | None = None

    def schedule_render(self) -> None:
        """Ask Qt to paint."""
        if self.widget is not None:
            self.widget.update()


class _View(RenderedWidget):
    """What slice and 3D views have in common."""

    def __init__(self, view: Any, strategy: WhenPainted) -> None:
        super().__init__(view.render_window())
        view.render_window().SetMultiSamples(0)  # smooth edges take most of the time without a graphics card
        self._view = view
        strategy.widget = self

    def forceRender(self) -> None:
        """Render now."""
        self._fit()
        self._window.Render()
        self.update()

    def scheduleRender(self) -> None:
        """Render when Qt paints next."""
        self.update()

    def mrmlScene(self) -> Any:
        """The scene."""
        return slicer.mrmlScene


@stand_in
class qMRMLSliceView(_View):
    """The picture of a slice."""

    def _fit(self) -> None:
        size = (max(self.width, 1), max(self.height, 1))
        if tuple(self._window.GetSize()) != size:
            self._window.SetSize(*size)
        node = self._view.get_view_node()
        if tuple(node.GetDimensions()[:2]) != size:
            self._view._logic.ResizeSliceNode(*size)

    def mrmlSliceNode(self) -> Any:
        """The node that says where the slice lies."""
        return self._view.get_view_node()


@stand_in
class qMRMLThreeDView(_View):
    """The picture of the 3D scene."""

    def mrmlViewNode(self) -> Any:
        """The node that says how it is shown."""
        return self._view.get_view_node()

    def resetFocalPoint(self) -> None:
        """Look at the middle of what is visible."""
        self._view.reset_focal_point()

    def resetCamera(self) -> None:
        """Step back until everything is in the picture."""
        self._view.reset_camera()

    def rotateToViewAxis(self, axis: int) -> None:
        """Look along an axis: left, right, posterior, anterior, inferior or superior."""
        self._view.get_camera_node().RotateTo(axis)


class _ViewWidget(qMRMLWidget):
    """A view with room for its bar."""

    def __init__(self, view: QWidget) -> None:
        super().__init__()
        self._view_widget = view
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(view, 1)

    def viewWidget(self) -> QWidget:
        """The view."""
        return self._view_widget


@stand_in
class qMRMLSliceWidget(_ViewWidget):
    """One of the views Red, Yellow, Green."""

    nodeAboutToBeEdited = Signal(object)

    def __init__(self, scene: Any = None, application_logic: Any = None, name: str = "Red") -> None:
        strategy = WhenPainted()
        logic = application_logic or slicer.app.applicationLogic()
        self._slice = SliceView(scene or slicer.mrmlScene, logic, name, strategy)
        self._slice.set_view_properties(ViewProps(orientation=_ORIENTATIONS.get(name)))
        super().__init__(qMRMLSliceView(self._slice, strategy))
        self._name = name

    def sliceView(self) -> qMRMLSliceView:
        """The picture."""
        return self._view_widget

    def sliceLogic(self) -> Any:
        """The logic behind the view."""
        return self._slice._logic

    def mrmlSliceNode(self) -> Any:
        """The node that says where the slice lies."""
        return self._slice.get_view_node()

    def mrmlSliceCompositeNode(self) -> Any:
        """The node that says which volumes are shown."""
        return self._slice._logic.GetSliceCompositeNode()

    def fitSliceToBackground(self) -> None:
        """Show the whole volume."""
        self._view_widget._fit()
        self._slice._logic.FitSliceToBackground()


@stand_in
class qMRMLThreeDWidget(_ViewWidget):
    """A view in 3D."""

    def __init__(self, scene: Any = None, application_logic: Any = None, name: str = "1") -> None:
        strategy = WhenPainted()
        logic = application_logic or slicer.app.applicationLogic()
        self._three_d = ThreeDView(scene or slicer.mrmlScene, logic, name, strategy)
        super().__init__(qMRMLThreeDView(self._three_d, strategy))

    def threeDView(self) -> qMRMLThreeDView:
        """The picture."""
        return self._view_widget

    def mrmlViewNode(self) -> Any:
        """The node that says how it is shown."""
        return self._three_d.get_view_node()

    def viewLogic(self) -> Any:
        """The logic behind the view."""
        return self._three_d._logic
