"""Bring a chart into the view layout, keep its axes around the points, and give the old layout back."""

import slicer

_before = []


def show(chart) -> None:
    """Show a chart; a layout without a plot view is exchanged for one with it."""
    manager = slicer.app.layoutManager()
    layout = manager.layout
    slicer.modules.plots.logic().ShowChartInLayout(chart)
    if manager.layout != layout and not _before:
        _before.append(layout)
    fit()


def fit() -> None:
    """Let the axes include the newest points: Slicer computes them once, when a chart is shown."""
    manager = slicer.app.layoutManager()
    for number in range(manager.plotViewCount):
        manager.plotWidget(number).plotView().fitToContent()


def restore() -> None:
    """Give back the layout that `show` exchanged."""
    if _before:
        slicer.app.layoutManager().setLayout(_before.pop())
