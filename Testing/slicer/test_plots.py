"""Curves are drawn where their points are, and follow the traps of Slicer's plot views."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk

BLUE = (0.0, 0.4, 1.0)


@pytest.fixture
def a_curve(a_slicer):
    """A table, a series and a chart as a panel makes them, with three points."""
    table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
    for name in ("epoch", "train"):
        column = vtk.vtkFloatArray()
        column.SetName(name)
        table.AddColumn(column)
    series = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", "train")
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetXColumnName("epoch")
    series.SetYColumnName("train")
    series.SetPlotType(series.PlotTypeScatter)
    series.SetMarkerStyle(series.MarkerStyleNone)
    series.SetColor(*BLUE)
    series.SetLineWidth(3)
    chart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode")
    chart.AddAndObservePlotSeriesNodeID(series.GetID())
    chart.SetTitle("Loss")
    for epoch, loss in enumerate((4.0, 2.0, 1.0)):
        append(table, epoch, loss)
    return table, series, chart


def append(table, epoch, loss):
    values = table.GetTable()
    row = values.InsertNextBlankRow()
    values.SetValue(row, 0, epoch)
    values.SetValue(row, 1, loss)
    values.Modified()


def bluish(picture):
    """Where the picture is blue."""
    red, green, blue = (picture[..., channel].astype(int) for channel in range(3))
    return (blue > red + 100) & (blue > green + 50)


def x_axis(widget):
    """The range of the x axis."""
    axis = widget.plotView().chart().GetAxis(vtk.vtkAxis.BOTTOM)
    return axis.GetUnscaledMinimum(), axis.GetUnscaledMaximum()


def test_chart_is_shown_in_a_layout_with_a_plot(a_slicer, a_curve, tmp_path):
    slicer.modules.plots.logic().ShowChartInLayout(a_curve[2])
    assert slicer.app.layoutManager().layout == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpPlotView

    found = bluish(a_slicer.render("Plot", (400, 300), tmp_path / "plot.png"))

    # The curve falls from the upper left to the lower right.
    rows, columns = np.nonzero(found)
    assert found.sum() > 200
    assert rows[columns < columns.min() + 10].mean() < rows[columns > columns.max() - 10].mean() - 100
    assert columns.max() - columns.min() > 250


def test_axes_are_fitted_once_and_on_request(a_curve):
    table, _series, chart = a_curve
    slicer.modules.plots.logic().ShowChartInLayout(chart)
    widget = slicer.app.layoutManager().plotWidget(0)
    assert x_axis(widget) == (0, 2)

    append(table, 50, 0.5)
    assert x_axis(widget) == (0, 2)

    widget.plotView().fitToContent()
    assert x_axis(widget) == (0, 50)
    append(table, 60, 0.5)
    widget.plotController().fitPlotToAxes()
    assert x_axis(widget) == (0, 60)


def test_manual_range_holds_until_fitted(a_curve):
    chart = a_curve[2]
    chart.SetXAxisRangeAuto(False)
    chart.SetXAxisRange(0, 9)
    slicer.modules.plots.logic().ShowChartInLayout(chart)
    widget = slicer.app.layoutManager().plotWidget(0)
    assert x_axis(widget) == (0, 9)

    widget.plotView().fitToContent()
    assert x_axis(widget) == (0, 2)


def test_rows_alone_do_not_redraw(a_slicer, a_curve):
    table, _series, chart = a_curve
    slicer.modules.plots.logic().ShowChartInLayout(chart)
    drawn = slicer.app.layoutManager().plotWidget(0).plotView().chart()
    assert drawn.GetPlot(0).GetInput().GetNumberOfRows() == 3

    slicer.util.updateTableFromArray(table, (np.arange(5.0), np.ones(5)), ["epoch", "train"])

    assert drawn.GetPlot(0).GetInput().GetNumberOfRows() == 5
    assert bluish(a_slicer.render("Plot")).any()


def test_gaps_and_logarithmic_axes(a_slicer, a_curve):
    table, _series, chart = a_curve
    append(table, 3, float("nan"))
    append(table, 4, 0.0)
    chart.SetYAxisLogScale(True)
    slicer.modules.plots.logic().ShowChartInLayout(chart)
    axis = slicer.app.layoutManager().plotWidget(0).plotView().chart().GetAxis(vtk.vtkAxis.LEFT)

    assert (axis.GetUnscaledMinimum(), axis.GetUnscaledMaximum()) == (1.0, 4.0)
    assert bluish(a_slicer.render("Plot")).any()


def test_plot_of_ones_own_leaves_the_layout_alone(a_slicer, a_curve):
    widget = slicer.qMRMLPlotWidget()
    widget.setMRMLScene(slicer.mrmlScene)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotViewNode", "own")
    widget.setMRMLPlotViewNode(node)
    assert not bluish(a_slicer.render(widget)).any()

    node.SetPlotChartNodeID(a_curve[2].GetID())

    assert bluish(a_slicer.render(widget)).any()
    assert slicer.app.layoutManager().layout == 3


def test_slicers_own_plot_function(a_slicer):
    nodes = {}
    slicer.util.plot(np.array([[0, 3.0], [1, 2.0]]), 0, ["epoch", "loss"], title="Run", nodes=nodes)
    nodes["series"][0].SetColor(*BLUE)

    assert nodes["chart"].GetTitle() == "Run"
    assert bluish(a_slicer.render("Plot")).any()


def test_removed_chart_leaves_an_empty_plot(a_slicer, a_curve):
    slicer.modules.plots.logic().ShowChartInLayout(a_curve[2])
    assert bluish(a_slicer.render("Plot")).any()

    slicer.mrmlScene.RemoveNode(a_curve[2])

    assert not bluish(a_slicer.render("Plot")).any()
