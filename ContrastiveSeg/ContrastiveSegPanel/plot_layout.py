"""Bring a chart into the view layout, keep its axes around the points, and give the old layout back."""

import slicer


class PlotLayout:
    """The one place in the views where a chart is shown, and the button that asked for it."""

    def __init__(self) -> None:
        self._before, self._button = None, None

    def show(self, chart, button) -> None:
        """Show a chart; a layout without a plot view is exchanged for one with it.

        Args:
            button: Is checked while its chart is shown; that of the chart before is released.
        """
        if self._button is not button:
            self._release()
        self._button = button
        manager = slicer.app.layoutManager()
        layout = manager.layout
        slicer.modules.plots.logic().ShowChartInLayout(chart)
        if manager.layout != layout and self._before is None:
            self._before = layout
        self.fit()

    def fit(self) -> None:
        """Let the axes include the newest points: Slicer computes them once, when a chart is shown."""
        manager = slicer.app.layoutManager()
        for number in range(manager.plotViewCount):
            manager.plotWidget(number).plotView().fitToContent()

    def giveWay(self) -> None:
        """Give back a layout with a 3D view, if a chart took it away; the chart stays one click away."""
        manager = slicer.app.layoutManager()
        if manager.threeDViewCount or not manager.plotViewCount:
            return
        before = self._before or slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
        self._release()
        self._before = None
        manager.setLayout(before)

    def _release(self) -> None:
        """The button comes up, and nothing else happens."""
        if self._button is not None:
            wasBlocked = self._button.blockSignals(True)
            self._button.setChecked(False)
            self._button.blockSignals(wasBlocked)
        self._button = None

    def restore(self, button) -> None:
        """Give back the layout that `show` exchanged, if this button's chart is the one that is shown."""
        if button is not self._button:
            return
        self._button = None
        if self._before is not None:
            slicer.app.layoutManager().setLayout(self._before)
            self._before = None
