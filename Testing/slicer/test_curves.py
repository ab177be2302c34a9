"""Events of a job become curves: losses, validation Dice, and the share of pseudo-labels that teach."""

from __future__ import annotations

import math

import pytest

from ContrastiveSegLib.slicer_bridge.curves import Curves


def test_the_kept_share_of_each_structure_and_round_is_a_curve():
    curves = Curves("Fine-tuning")

    grew = curves.add(
        [
            {"kind": "progress", "step": 9, "terms": {"dice_ce": 1.0}},
            {"kind": "pseudo_labels", "step": 400, "round": 1, "kept": {"liver": 0.75, "spleen": 0.5}},
            {
                "kind": "pseudo_labels",
                "step": 800,
                "round": 2,
                "used_share": {"liver": 0.875, "spleen": None},
            },
        ]
    )

    assert grew
    chart = curves.chart
    series = [chart.GetNthPlotSeriesNode(n) for n in range(chart.GetNumberOfPlotSeriesNodes())]
    assert [s.GetName() for s in series] == ["loss dice_ce", "used share liver", "used share spleen"]
    assert chart.GetYAxisTitle() == "loss, used share"
    table = series[1].GetTableNode().GetTable()
    columns = {table.GetColumnName(n): n for n in range(table.GetNumberOfColumns())}
    rows = [[float(table.GetValue(row, columns[c]).ToDouble()) for c in columns] for row in range(2)]
    assert rows[0] == pytest.approx([400, 0.75, 0.5])
    assert rows[1][:2] == pytest.approx([800, 0.875])
    assert math.isnan(rows[1][2])
    curves.remove()
