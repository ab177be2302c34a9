"""The table of the structures in the shown prediction: how large and bright they are, ready to copy."""

import math

import slicer
from slicer.i18n import tr as _

from ContrastiveSegLib.slicer_bridge.prediction_tables import number

from . import state_line, table_rows

SAME_ML = 0.01  # by which the job's volume may differ from that of the shown segmentation


class StructureTable:
    """One row for each structure; the button copies all that is known of it.

    Args:
        table: The QTableWidget.
        button: Copies the table for spreadsheets.
    """

    def __init__(self, table, button) -> None:
        self._table, self._button = table, button
        self._copied: list = []
        table_rows.style(table)
        button.connect("clicked()", self.onCopy)

    def clear(self) -> None:
        """No prediction is shown."""
        self._copied = []
        table_rows.fill(self._table, (), [], [])
        state_line.allow(self._button, _("Show a prediction first."))

    def show(self, case: str, volumes: dict, measures: dict) -> None:
        """Fill the table.

        Args:
            volumes: Structure to ml, of the segmentation that is seen.
            measures: Structure to the columns of the job's summary; {} where there is none.
        """
        known = {name: measures[name] for name in volumes if _isOfThis(measures.get(name), volumes[name])}
        columns = [_("Structure"), _("Volume (ml)")]
        if known:
            columns = [_("Structure"), _("ml"), _("Gray values")]  # narrow, for the names
            columns += [_("Border")] if any(map(_border, known.values())) else []
        table_rows.begin(self._table, columns, len(volumes))
        for row, (name, amount) in enumerate(volumes.items()):
            cells = (name, round(amount, 2), _gray(known.get(name)), _border(known.get(name)))
            table_rows.setRow(self._table, row, cells[: len(columns)], name, tip=_tip(known.get(name)))
        table_rows.finishWithin(self._table, isLastWide=False)
        self._copied = _lines(case, volumes, known)
        tip = _("For spreadsheets. All cases are in summary.csv, in the folder of the predictions.")
        state_line.allow(self._button, "", tip)

    def onCopy(self) -> None:
        """Put the table into the clipboard."""
        slicer.app.clipboard().setText("\n".join(self._copied))
        slicer.util.showStatusMessage(_("The table was copied."), 3000)


def _isOfThis(measured, volume: float) -> bool:
    """Whether the job measured what is seen: its summary may be of another prediction."""
    return measured is not None and abs(number(measured.get("volume_ml")) - volume) <= SAME_ML


def _gray(measured) -> str:
    mean, deviation = (number((measured or {}).get(name)) for name in ("gray_mean", "gray_sd"))
    if math.isnan(mean):
        return ""
    return f"{mean:.4g}" if math.isnan(deviation) else f"{mean:.4g} ± {deviation:.2g}"


def _border(measured) -> str:
    return _("touches") if (measured or {}).get("touches_border") == "True" else ""


def _tip(measured) -> str:
    """All that the job measured; first that a part may be missing."""
    cut = (
        [_("It touches the border of the image, so a part of it may be missing.")]
        if _border(measured)
        else []
    )
    return "\n".join([*cut, *(f"{key}: {value}" for key, value in (measured or {}).items() if value)])


def _lines(case: str, volumes: dict, known: dict) -> list:
    """Header and rows, with tabs between the cells: all columns of the summary where all rows have them."""
    if known and set(known) == set(volumes):
        header = list(next(iter(known.values())))
        rows = [list(known[name].values()) for name in volumes]
    else:
        header = ["case", "structure", "volume_ml"]
        rows = [[case, name, f"{amount:.4f}"] for name, amount in volumes.items()]
    return ["\t".join(" ".join(str(cell).split()) for cell in row) for row in (header, *rows)]
