"""The cases of a folder and what their headers say, as another process finds them; nothing here waits."""

import itertools
import json
import os
import shutil
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from ContrastiveSegLib.dataset.cases import Case
from ContrastiveSegLib.dataset.layouts import LeftOut
from ContrastiveSegLib.errors import ContrastiveSegError
from ContrastiveSegLib.file_io.reader import start_reading
from ContrastiveSegLib.imaging.grid import slice_axis
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.imaging.volume import Geometry
from ContrastiveSegLib.slicer_bridge import case_listing, process
from ContrastiveSegLib.slicer_bridge.engine import Engine

from . import job_words

INTERVAL_MS = 40
CHUNK = 64 * 1024  # bytes of the listing per turn of the event loop: some hundred cases, a few milliseconds
JOB = "list"


class CaseReader:
    """Follows the listing of one folder at a time.

    Args:
        parent: Widget that owns the timer.
        onProgress: Called when some more is known, often.
        onEnd: Called when everything is known, or reading began or ended otherwise.
    """

    def __init__(self, parent, onProgress, onEnd) -> None:
        self._onProgress, self._onEnd = onProgress, onEnd
        self._job: process.Job | None = None
        self._position, self._numbers = 0, itertools.count(1)
        self._timer = qt.QTimer(parent)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.connect("timeout()", self._look)
        # For the cases that will be shown: it loads while the user looks for a folder.
        start_reading()
        self._forget("")

    def _forget(self, folder: str) -> None:
        self.folder, self.error, self.isStopped, self.isFound = folder, "", False, False
        self.version = next(self._numbers)  # grows with each change, so that others need not compare
        self.cases: list[Case] = []
        self.leftOut: list[LeftOut] = []
        self.table: LabelTable | None = None
        self.geometries: dict[str, Geometry] = {}
        self.unreadable: dict[str, str] = {}
        self._byName: dict[str, Case] = {}
        self.plane, self.slices = "axial", 0
        self._foundAll = False

    @property
    def isReading(self) -> bool:
        """Whether more is to come."""
        return self._job is not None

    def read(self, folder: str) -> None:
        """Begin with a folder, and let go of the one before; "" empties the list."""
        self._end()
        self._forget(folder)
        if folder:
            try:
                self._start(folder)
            except ContrastiveSegError as error:
                self.error = str(error)
        self._onEnd()

    def stop(self) -> None:
        """The user does not want to wait: what was found so far stays."""
        if self.isReading:
            self._end()
            self.isStopped = True
            self._onEnd()

    def close(self) -> None:
        """The panel goes."""
        self._end()

    def _start(self, folder: str) -> None:
        name = f"ContrastiveSeg-{JOB}-{os.getpid()}-{next(self._numbers)}"
        place = Path(slicer.app.temporaryPath) / name
        module = "ContrastiveSegLib.slicer_bridge.case_listing"
        # Slicer's own Python, whatever computes the jobs: it has all that reading headers takes.
        engine = Engine((Engine.own().command[0], "-u", "-m", module))
        order = {"folder": folder, "listing": str(place / "listing.jsonl")}
        self._job, self._position = process.start(JOB, order, engine, folder=place), 0
        self._timer.start()

    def _end(self) -> None:
        self._timer.stop()
        job, self._job = self._job, None
        if job is not None:
            if job.is_running():
                job.end()
            shutil.rmtree(job.folder, ignore_errors=True)

    def _look(self) -> None:
        if self._job is None:
            self._timer.stop()
            return
        isRunning = self._job.is_running()  # before the lines, so that the last ones are read
        lines = self._newLines(self._job.folder)
        for line in lines:
            self._take(json.loads(line))
        if lines:
            self.version = next(self._numbers)
        if lines or isRunning:
            self._onProgress()
            return
        if not self._foundAll and not self.error:
            self.error = self._death(self._job)
        self._end()
        self._onEnd()

    def _newLines(self, folder: Path) -> list:
        try:
            with (folder / "listing.jsonl").open("rb") as file:
                file.seek(self._position)
                data = file.read(CHUNK)
                if data and b"\n" not in data:
                    data += file.readline()
        except OSError:
            return []  # not begun yet
        data = data[: data.rfind(b"\n") + 1]
        self._position += len(data)
        return data.decode("utf-8").splitlines()

    def _take(self, facts: dict) -> None:
        kind = facts["kind"]
        if kind == case_listing.CASE:
            case = case_listing.case_from_json(facts)
            self.cases.append(case)
            self._byName[case.name] = case
        elif kind == case_listing.LEFT_OUT:
            self.leftOut.append(case_listing.left_out_from_json(facts))
        elif kind == case_listing.FOUND:
            self.isFound = True
        elif kind == case_listing.GEOMETRY:
            self.geometries[facts["name"]] = case_listing.geometry_from_json(facts)
        elif kind == case_listing.UNREADABLE:
            self.unreadable[facts["name"]] = facts["reason"]
        elif kind == case_listing.GRID:
            self.plane, self.slices = facts["plane"], facts["slices"]
        elif kind == case_listing.TABLE:
            self.table = LabelTable.from_json(facts["table"])
        elif kind == case_listing.ERROR:
            self.error = facts["text"]
        elif kind == case_listing.END:
            self._foundAll = True

    def _death(self, job: process.Job) -> str:
        """What to say of a reader that ended in the middle."""
        if self.isFound and self.headersRead == len(self.cases):
            return ""  # only the names of the structures are missing
        text = _("The folder {folder} was not read to its end: the reader ended").format(folder=self.folder)
        unread = (case for case in self.cases if not self._isRead(case.name))
        case = next(unread, None) if self.isFound else None
        where = _(" at {file}").format(file=case.images[0]) if case is not None else ""
        said = job_words.lastParagraph(job.tail())
        return f"{text}{where}. {said}".strip()

    def _isRead(self, name: str) -> bool:
        return name in self.geometries or name in self.unreadable

    @property
    def headersRead(self) -> int:
        """Of how many cases it is known what their header says, or that it cannot be read."""
        return len(self.geometries) + len(self.unreadable)

    def case(self, name: str):
        """The case of a name, or None."""
        return self._byName.get(name)

    def axisOf(self, name: str) -> int:
        """Along which axis of its image (i, j, k as 0, 1, 2) a case is cut into slices."""
        geometry = self.geometries.get(name)
        return slice_axis(geometry, self.plane) if geometry else 2

    def counts(self) -> dict:
        """For the state line."""
        labeled = sum(case.labels is not None or case.scribbles is not None for case in self.cases)
        out = len(self.leftOut) + len(self.unreadable)
        return {"cases": len(self.cases) - len(self.unreadable), "labeled": labeled, "out": out}
