"""Read the headers of a folder's cases a few at a time, so that the window stays alive."""

import math
from pathlib import Path

import qt
from slicer.i18n import tr as _

from ContrastiveSegLib.errors import BadFile, ContrastiveSegError
from ContrastiveSegLib.volumes.cases import find_cases
from ContrastiveSegLib.volumes.files import read_geometry
from ContrastiveSegLib.volumes.grid import derive_grid, slicing_axes

from . import table_rows

AT_ONCE = 5  # headers per turn of the event loop


class CaseReader:
    """The cases of a folder and what their headers say.

    Args:
        parent: Widget that owns the timer.
        onChange: Called when more is known.
    """

    def __init__(self, parent, onChange) -> None:
        self.folder, self.error = "", ""
        self.cases, self.leftOut, self.table = (), [], None
        self.geometries, self._unreadable, self._waiting = {}, {}, []
        self._shown = None
        self._grid, self._gridOf = None, 0
        self._onChange = onChange
        self._timer = qt.QTimer(parent)
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self._some)

    @property
    def isReading(self) -> bool:
        """Whether headers are still to be read."""
        return bool(self._waiting)

    def read(self, folder: str) -> None:
        """Begin with a folder; "" empties the table."""
        self.folder, self.error = folder, ""
        self.cases, self.leftOut, self.table = (), [], None
        self.geometries, self._unreadable = {}, {}
        self._grid, self._gridOf = None, 0
        if folder:
            try:
                listing = find_cases(Path(folder))
                self.cases, self.table = listing.cases, listing.table
                self.leftOut = [(out.path, out.reason) for out in listing.left_out if not out.by_choice]
            except ContrastiveSegError as error:
                self.error = str(error)
        self._waiting = list(self.cases)
        self._timer.start()
        self._onChange()

    def _some(self) -> None:
        for case in self._waiting[:AT_ONCE]:
            try:
                channelsLast = case.last_axis_is_channels
                self.geometries[case.name] = read_geometry(case.images, last_axis_is_channels=channelsLast)
            except BadFile as error:
                self._unreadable[case.name] = str(error)
        self._waiting = self._waiting[AT_ONCE:]
        if not self._waiting:
            self._timer.stop()
            self._onChange()

    def case(self, name: str):
        """The case of a name, or None."""
        return next((case for case in self.cases if case.name == name), None)

    def axisOf(self, name: str) -> int:
        """Along which axis of its image (i, j, k as 0, 1, 2) a case is cut into slices."""
        geometry = self.geometries.get(name)
        return abs(slicing_axes(geometry, self.grid().plane)[2]) - 1 if geometry else 2

    def grid(self):
        """The working grid that the jobs will derive from these headers, by the same rule."""
        if self._grid is None or len(self.geometries) != self._gridOf:
            self._grid, self._gridOf = derive_grid(list(self.geometries.values())), len(self.geometries)
        return self._grid

    def slices(self) -> int:
        """Slices of all cases together."""
        return sum(geometry.size[self.axisOf(name)] for name, geometry in self.geometries.items())

    def patchPixels(self) -> int:
        """Pixels of the patch that the jobs will choose, as far as the headers say."""
        if not self.geometries:
            return 1
        return math.prod(self.grid().patch)

    def counts(self) -> dict:
        """For the state line."""
        labeled = sum(case.labels is not None or case.scribbles is not None for case in self.cases)
        out = len(self.leftOut) + len(self._unreadable)
        return {"cases": len(self.cases) - len(self._unreadable), "labeled": labeled, "out": out}

    def showIn(self, table, annotated) -> None:
        """Write the table, if anything changed since the last time."""
        rows, keys = [], []
        for case in self.cases:
            rows.append(self._row(case, case.name in annotated))
            keys.append(case.name)
        for path, reason in self.leftOut:
            rows.append((path.name, "", "", _("left out"), reason))
            keys.append("")
        if (rows, keys) != self._shown:
            columns = (_("Case"), _("Spacing mm"), _("Channels"), _("Annotated"), _("Remark"))
            table_rows.fill(table, columns, rows, keys)
            self._shown = (rows, keys)

    def _row(self, case, isAnnotated: bool):
        geometry = self.geometries.get(case.name)
        spacing = "x".join(f"{s:.3g}" for s in geometry.spacing) if geometry else ""
        channels = _("several") if case.last_axis_is_channels else len(case.images)
        words = [_("here") if isAnnotated else "", _("labels") if case.labels else ""]
        words.append(_("scribbles") if case.scribbles else "")
        annotated = ", ".join(word for word in words if word) or _("no")
        remark = self._unreadable.get(case.name) or (case.patient if case.patient != case.name else "")
        if case.name in self._unreadable:
            annotated = _("left out")
        return (case.name, spacing, channels, annotated, remark)
