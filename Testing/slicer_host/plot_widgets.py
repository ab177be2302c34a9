"""Plot views: a chart of MRML rendered off-screen, redrawn when its nodes change."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget
from vtkmodules.vtkChartsCore import vtkChartXY
from vtkmodules.vtkCommonCore import vtkCommand
from vtkmodules.vtkViewsContext2D import vtkContextView

from .mrml_widgets import qMRMLWidget
from .plot_chart import fill_chart, fit_axes
from .pythonqt import stand_in
from .scene_observer import SceneObserver
from .view_widgets import RenderedWidget


@stand_in
class qMRMLPlotView(RenderedWidget):
    """A chart. Axes are fitted when a chart is shown first and on request, not with every new point."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        self._context = vtkContextView()
        self._context.GetRenderWindow().SetOffScreenRendering(1)
        self._context.GetRenderWindow().SetMultiSamples(0)
        self._context.GetRenderer().SetBackground(1, 1, 1)
        self._chart = vtkChartXY()
        self._context.GetScene().AddItem(self._chart)
        super().__init__(self._context.GetRenderWindow(), parent)
        self._observer = SceneObserver(self)
        self._nodes = SceneObserver(self)
        self._scene: Any = None
        self._view_node: Any = None
        self._shown = ""

    def chart(self) -> vtkChartXY:
        """The chart of VTK."""
        return self._chart

    def setMRMLScene(self, scene: Any) -> None:
        """Show charts of this scene."""
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def setMRMLPlotViewNode(self, node: Any) -> None:
        """Show the chart this node names, also when it names another one later."""
        self._observer.clear()
        self._view_node = node
        if node is not None:
            self._observer.observe(node, vtkCommand.ModifiedEvent, self._redraw)
        self._redraw()

    def fitToContent(self) -> None:
        """Fit the axes to the points there are now."""
        self._redraw()
        fit_axes(self._chart, self._chart_node())
        self.update()

    def _chart_node(self) -> Any:
        return self._view_node.GetPlotChartNode() if self._view_node is not None else None

    def _redraw(self) -> None:
        node = self._chart_node()
        self._watch(node)
        fill_chart(self._chart, node)
        points = self._number_of_points(node)
        shown = f"{node.GetID()} {points > 0}" if node is not None else ""
        if shown != self._shown:
            fit_axes(self._chart, node, respect_node=True)
            self._shown = shown
        self.update()

    @staticmethod
    def _number_of_points(node: Any) -> int:
        count = node.GetNumberOfPlotSeriesNodes() if node is not None else 0
        tables = [
            node.GetNthPlotSeriesNode(n).GetTableNode() for n in range(count) if node.GetNthPlotSeriesNode(n)
        ]
        return sum(table.GetNumberOfRows() for table in tables if table is not None)

    def _watch(self, node: Any) -> None:
        """Redraw at changes of the chart, its series and their tables."""
        self._nodes.clear()
        if node is None:
            return
        self._nodes.observe(node, vtkCommand.ModifiedEvent, self._redraw)
        for index in range(node.GetNumberOfPlotSeriesNodes()):
            series = node.GetNthPlotSeriesNode(index)
            for subject in filter(None, (series, series and series.GetTableNode())):
                self._nodes.observe(subject, vtkCommand.ModifiedEvent, self._redraw)


@stand_in
class qMRMLPlotViewControllerWidget(QWidget):
    """The bar above a chart."""

    def __init__(self, view: qMRMLPlotView) -> None:
        super().__init__()
        self._view = view
        fit = QToolButton(self)
        fit.text = "Fit"
        fit.clicked.connect(self.fitPlotToAxes)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(fit)
        row.addStretch(1)

    def fitPlotToAxes(self) -> None:
        """Fit the axes to the points there are now."""
        self._view.fitToContent()


@stand_in
class qMRMLPlotWidget(qMRMLWidget):
    """A chart with its bar."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plot = qMRMLPlotView()
        self._bar = qMRMLPlotViewControllerWidget(self._plot)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._bar)
        column.addWidget(self._plot, 1)

    def plotView(self) -> qMRMLPlotView:
        """The chart."""
        return self._plot

    def viewWidget(self) -> qMRMLPlotView:
        """The chart."""
        return self._plot

    def plotController(self) -> qMRMLPlotViewControllerWidget:
        """The bar."""
        return self._bar

    def controllerWidget(self) -> qMRMLPlotViewControllerWidget:
        """The bar."""
        return self._bar

    def mrmlPlotViewNode(self) -> Any:
        """The node that says which chart is shown."""
        return self._plot._view_node

    def setMRMLPlotViewNode(self, node: Any) -> None:
        """Show the chart this node names."""
        self._plot.setMRMLPlotViewNode(node)

    def _scene_changed(self) -> None:
        self._plot.setMRMLScene(self._scene)
