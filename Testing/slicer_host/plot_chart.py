"""A chart of MRML: series, axes and legend of a plot chart node, drawn by VTK."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkChartsCore import vtkAxis, vtkChart, vtkChartXY, vtkPlot, vtkPlotPoints
from vtkmodules.vtkCommonDataModel import vtkTable

_LINE_LIKE = {slicer.vtkMRMLPlotSeriesNode.PlotTypeLine, slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter}


def fill_chart(chart: vtkChartXY, node: Any) -> None:
    """Draw what the chart node says; with no node, nothing."""
    chart.ClearPlots()
    if node is None:
        chart.SetTitle("")
        return
    for index in range(node.GetNumberOfPlotSeriesNodes()):
        _add_series(chart, node.GetNthPlotSeriesNode(index))
    chart.SetTitle(node.GetTitle() or "" if node.GetTitleVisibility() else "")
    chart.SetShowLegend(node.GetLegendVisibility())
    _dress(chart.GetAxis(vtkAxis.BOTTOM), node.GetXAxisTitle(), node.GetXAxisLogScale())
    _dress(chart.GetAxis(vtkAxis.LEFT), node.GetYAxisTitle(), node.GetYAxisLogScale())


def fit_axes(chart: vtkChartXY, node: Any, *, respect_node: bool = False) -> None:
    """Set the ranges of the axes once: to the points there are now, or to those the node fixes."""
    bounds = _bounds(node)
    fixed: tuple[Any, Any] = (None, None)
    if respect_node and node is not None:
        fixed = (
            None if node.GetXAxisRangeAuto() else node.GetXAxisRange(),
            None if node.GetYAxisRangeAuto() else node.GetYAxisRange(),
        )
    for place, ends, own in zip((vtkAxis.BOTTOM, vtkAxis.LEFT), bounds, fixed, strict=True):
        axis = chart.GetAxis(place)
        axis.SetBehavior(vtkAxis.FIXED)
        axis.SetUnscaledRange(*(own or ends))


def _bounds(node: Any) -> list[tuple[float, float]]:
    """The least and greatest finite x and y of all series; on a logarithmic axis, of the positive ones."""
    columns: tuple[list[np.ndarray], list[np.ndarray]] = ([np.array([])], [np.array([])])
    count = node.GetNumberOfPlotSeriesNodes() if node is not None else 0
    for series in filter(_can_be_drawn, (node.GetNthPlotSeriesNode(n) for n in range(count))):
        table = series.GetTableNode().GetTable()
        y = vtk_to_numpy(table.GetColumnByName(series.GetYColumnName())).astype(float)
        x = table.GetColumnByName(series.GetXColumnName() or "") if _has_x(series) else None
        columns[0].append(vtk_to_numpy(x).astype(float) if x is not None else np.arange(len(y), dtype=float))
        columns[1].append(y)
    log = (node.GetXAxisLogScale(), node.GetYAxisLogScale()) if node is not None else (False, False)
    return [_ends(np.concatenate(values), positive) for values, positive in zip(columns, log, strict=True)]


def _ends(values: np.ndarray, positive: bool) -> tuple[float, float]:
    values = values[np.isfinite(values) & ((values > 0) | (not positive))]
    if not values.size:
        return (0.1, 1.0) if positive else (0.0, 1.0)
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low * 0.5, low * 2 or 1.0)


def _dress(axis: vtkAxis, title: str | None, log_scale: bool) -> None:
    axis.SetTitle(title or "")
    axis.SetLogScale(bool(log_scale))


def _add_series(chart: vtkChartXY, series: Any) -> None:
    if not _can_be_drawn(series):
        return
    plot = chart.AddPlot(_kind(series))
    _give_data(plot, series.GetTableNode().GetTable(), series)
    plot.SetColorF(*series.GetColor(), series.GetOpacity())
    plot.SetWidth(series.GetLineWidth())
    plot.SetLabel(series.GetName())
    plot.GetPen().SetLineType(series.GetLineStyle())
    if isinstance(plot, vtkPlotPoints):
        plot.SetMarkerStyle(series.GetMarkerStyle())
        plot.SetMarkerSize(series.GetMarkerSize())


def _can_be_drawn(series: Any) -> bool:
    table = series.GetTableNode() if series is not None else None
    return table is not None and table.GetTable().GetColumnByName(series.GetYColumnName() or "") is not None


def _has_x(series: Any) -> bool:
    return series.GetPlotType() == slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter and bool(
        series.GetXColumnName()
    )


def _kind(series: Any) -> int:
    if series.GetPlotType() not in _LINE_LIKE:
        return vtkChart.BAR
    return vtkChart.LINE if series.GetLineStyle() else vtkChart.POINTS


def _give_data(plot: vtkPlot, table: vtkTable, series: Any) -> None:
    if _has_x(series):
        plot.SetInputData(table, series.GetXColumnName(), series.GetYColumnName())
    else:
        plot.SetUseIndexForXSeries(True)
        column = table.GetColumnByName(series.GetYColumnName())
        index = next(n for n in range(table.GetNumberOfColumns()) if table.GetColumn(n) is column)
        plot.SetInputData(table, 0, index)
