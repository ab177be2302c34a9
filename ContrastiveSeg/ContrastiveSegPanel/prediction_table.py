"""The table of predicted cases in step 5, with the Dice that is expected of each where a job estimated it."""

from slicer.i18n import tr as _

from ContrastiveSegLib.slicer_bridge.prediction_tables import EXPECTED_DICE, read_expected_dice

from . import table_rows


class PredictionTable:
    """Cases, and how good each is thought to be; a click on that header brings the worst to the top.

    Args:
        table: The QTableWidget.
    """

    def __init__(self, table) -> None:
        self._table = table
        self._told: dict = {}
        self._shows: tuple | None = None
        table_rows.style(table)

    def onEvents(self, events) -> None:
        """Remember what jobs reported of each case: their own table lists only the cases of the last job."""
        known = [e for e in events if e.get("case") and _isNumber(e.get(EXPECTED_DICE))]
        self._told.update({e["case"]: float(e[EXPECTED_DICE]) for e in known})

    def forget(self) -> None:
        """Another run folder."""
        self._told = {}

    def show(self, run, predicted) -> None:
        """Bring the table up to date.

        Args:
            predicted: The names of the predicted cases.
        """
        known = {**self._told, **read_expected_dice(run)} if run is not None else {}
        expected = {case: round(known[case], 2) for case in predicted if case in known}
        if (predicted, expected) == self._shows:
            return
        self._shows = (predicted, expected)
        columns = [_("Predicted case")]
        rows: list[tuple] = [(case,) for case in predicted]
        if expected:
            columns.append(_("Expected Dice"))
            rows = [(case, expected.get(case)) for case in predicted]
        table_rows.begin(self._table, columns, len(rows))
        for number, (row, case) in enumerate(zip(rows, predicted, strict=True)):
            table_rows.setRow(self._table, number, row, case, tip=case)
        table_rows.finishWithin(self._table, isLastWide=False)
        if expected:
            tip = _("How far the prediction can be trusted; click here to bring the worst to the top")
            self._table.horizontalHeaderItem(1).setToolTip(tip)


def _isNumber(value) -> bool:
    return isinstance(value, float | int) and value == value  # unlike NaN
