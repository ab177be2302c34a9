"""Live curves: events of a job become rows of table nodes, drawn by plot series in one chart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import slicer
import vtk

# Colors that stay apart for color-blind readers (Okabe and Ito, 2008), without yellow on white.
COLORS = (
    (0.0, 0.447, 0.698),
    (0.835, 0.369, 0.0),
    (0.0, 0.62, 0.451),
    (0.8, 0.475, 0.655),
    (0.902, 0.624, 0.0),
    (0.337, 0.706, 0.914),
)
STEP = "step"
LOSS = "progress"
DICE = "validation"
USED = "pseudo_labels"
# How the curves of a kind of event begin, before the name of the term or structure.
WORDS = {LOSS: "loss", DICE: "Dice", USED: "used share"}


class Curves:
    """The chart of one job: losses, validation Dice, and the share of pseudo-labels that teach, as they come.

    Args:
        title: Of the chart; the nodes are named after it.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self._tables: dict[str, str] = {}
        self._chart_id = ""
        self._count = 0

    def add(self, events: Sequence[Mapping[str, Any]]) -> bool:
        """Add what the events say; True if a curve grew. One redraw for all of them."""
        grown = set()
        for event in events:
            kind = str(event.get("kind"))
            used = event.get("used_share", event.get("kept"))  # its name in earlier runs
            values = {LOSS: event.get("terms"), DICE: event.get("dice"), USED: used}.get(kind)
            if values and "step" in event:
                self._append(kind, float(event["step"]), values)
                grown.add(kind)
        for kind in grown:
            self._table(kind).GetTable().Modified()
            self._table(kind).Modified()
        return bool(grown)

    @property
    def chart(self) -> Any | None:
        """The chart node; None before the first point, or when the scene was closed."""
        return slicer.mrmlScene.GetNodeByID(self._chart_id) if self._chart_id else None

    @property
    def is_lost(self) -> bool:
        """Whether nodes were deleted: then the curves must be drawn anew from all events."""
        nodes = [*self._tables.values(), *([self._chart_id] if self._chart_id else [])]
        return any(slicer.mrmlScene.GetNodeByID(identity) is None for identity in nodes)

    def remove(self) -> None:
        """Take the nodes out of the scene."""
        chart = self.chart
        series = (
            [chart.GetNthPlotSeriesNode(n) for n in range(chart.GetNumberOfPlotSeriesNodes())]
            if chart
            else []
        )
        tables = [slicer.mrmlScene.GetNodeByID(identity) for identity in self._tables.values()]
        for node in [*series, *tables, chart]:
            if node is not None:
                slicer.mrmlScene.RemoveNode(node)
        self._tables, self._chart_id, self._count = {}, "", 0

    def _append(self, kind: str, step: float, values: Mapping[str, float | None]) -> None:
        table = self._table(kind).GetTable()
        for name in values:
            if table.GetColumnByName(name) is None:
                self._add_column(kind, name)
        row = table.InsertNextBlankRow()
        for number in range(table.GetNumberOfColumns()):
            name = table.GetColumnName(number)
            value = step if name == STEP else values.get(name)
            # NaN leaves a gap in the line, 0 would be a false point.
            table.SetValue(row, number, math.nan if value is None else float(value))

    def _table(self, kind: str) -> Any:
        found = slicer.mrmlScene.GetNodeByID(self._tables.get(kind, "")) if kind in self._tables else None
        if found is None:
            found = _new("vtkMRMLTableNode", f"{self.title} {kind}")
            found.AddColumn(_column(STEP, 0))
            self._tables[kind] = found.GetID()
        return found

    def _add_column(self, kind: str, name: str) -> None:
        table = self._table(kind)
        table.AddColumn(_column(name, table.GetTable().GetNumberOfRows()))
        series = _new("vtkMRMLPlotSeriesNode", f"{WORDS[kind]} {name}")
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetXColumnName(STEP)
        series.SetYColumnName(name)
        series.SetPlotType(series.PlotTypeScatter)  # a line through points (x, y)
        series.SetMarkerStyle(series.MarkerStyleNone if kind == LOSS else series.MarkerStyleCircle)
        series.SetLineWidth(2)
        series.SetColor(*COLORS[self._count % len(COLORS)])
        self._count += 1
        self._made_chart().AddAndObservePlotSeriesNodeID(series.GetID())

    def _made_chart(self) -> Any:
        chart = self.chart
        if chart is None:
            chart = _new("vtkMRMLPlotChartNode", self.title)
            chart.SetTitle(self.title)
            chart.SetXAxisTitle("step")
            chart.SetLegendVisibility(True)
            self._chart_id = chart.GetID()
        chart.SetYAxisTitle(", ".join(word for kind, word in WORDS.items() if kind in self._tables))
        return chart


def _column(name: str, rows: int) -> Any:
    column = vtk.vtkFloatArray()
    column.SetName(name)
    for _ in range(rows):
        column.InsertNextValue(math.nan)
    return column


def _new(class_name: str, name: str) -> Any:
    return slicer.mrmlScene.AddNewNodeByClass(class_name, name)
