"""The table of cases in step 1, filled a part at a time: ten thousand rows take seconds."""

import time

import qt
from slicer.i18n import tr as _

from . import table_rows

BUDGET_S = 0.04  # per turn of the event loop


class CaseTable:
    """Shows what a CaseReader has found.

    Args:
        table: The QTableWidget.
        reader: The CaseReader.
    """

    def __init__(self, table, reader) -> None:
        self._table, self._reader = table, reader
        self._annotated: frozenset = frozenset()
        self._shows: tuple | None = None
        self._next = 0
        self._rows: list = []  # the rows as they were written, in the order of the cases
        self._timer = qt.QTimer(table)
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self._fill)
        table_rows.style(table)

    @property
    def isFilling(self) -> bool:
        """Whether rows are still to be written."""
        return self._timer.isActive()

    def show(self, annotated) -> None:
        """Bring the table up to date, if anything changed since the last time.

        Args:
            annotated: Names of the cases with an annotation in the run folder.
        """
        wanted = (self._reader.version, annotated)
        if wanted == self._shows:
            return
        self._shows, self._annotated, self._next = wanted, annotated, 0
        del self._rows[self._count() :]
        columns = (_("Case"), _("Annotated"), _("Remark"))
        table_rows.begin(self._table, columns, self._count())
        self._fill()

    def _count(self) -> int:
        return len(self._reader.cases) + len(self._reader.leftOut)

    def _fill(self) -> None:
        """Write some more rows, and go on in the next turn of the event loop if there are others."""
        end = time.perf_counter() + BUDGET_S
        while self._next < min(self._count(), self._table.rowCount):
            self._write(self._next)
            self._next += 1
            if time.perf_counter() > end:
                self._timer.start()
                return
        self._timer.stop()
        table_rows.finishWithin(self._table, isLastWide=any(row[-1] for row, _key, _tip in self._rows))

    def _write(self, number: int) -> None:
        cases = self._reader.cases
        if number < len(cases):
            row, key = self._case(cases[number]), cases[number].name
            about = self._about(cases[number])
        else:
            out = self._reader.leftOut[number - len(cases)]
            row, key = (out.path.name, _("left out"), out.reason), ""
            about = _("File: {path}").format(path=out.path)
        tip = "\n".join([*(word for word in row if word), about])
        isWritten = number < len(self._rows) and self._rows[number] == (row, key, tip)
        if not (isWritten and table_rows.isRow(self._table, number, row, key)):
            table_rows.setRow(self._table, number, row, key, tip=tip)
            self._rows[number : number + 1] = [(row, key, tip)]

    def _case(self, case) -> tuple:
        reader = self._reader
        words = [_("in this run") if case.name in self._annotated else "", _("labels") if case.labels else ""]
        words.append(_("scribbles") if case.scribbles else "")
        annotated = ", ".join(word for word in words if word) or _("no")
        remark = reader.unreadable.get(case.name) or (case.patient if case.patient != case.name else "")
        if case.name in reader.unreadable:
            annotated = _("left out")
        return (case.name, annotated, remark)

    def _about(self, case) -> str:
        """What has no column: the panel is narrow."""
        lines = [_("File: {path}").format(path=case.images[0])]
        if (geometry := self._reader.geometries.get(case.name)) is not None:
            size = " x ".join(map(str, geometry.size))
            spacing = " x ".join(f"{length:.3g}" for length in geometry.spacing)
            lines.append(_("Size: {size} voxels").format(size=size))
            lines.append(_("Spacing: {spacing} mm").format(spacing=spacing))
        channels = _("several") if case.last_axis_is_channels else len(case.images)
        lines.append(_("Channels: {n}").format(n=channels))
        return "\n".join(lines)
