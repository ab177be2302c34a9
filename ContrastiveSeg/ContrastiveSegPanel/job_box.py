"""Start, Cancel, progress, curves and log of one kind of job: the lower half of a step."""

import qt
from slicer.i18n import tr as _

from ContrastiveSegLib.slicer_bridge.curves import Curves

from . import job_words
from .panel_words import inPanel
from .state_line import allow, breakable

LOG_LINES = 500


class JobBox:
    """The widgets around one job.

    Args:
        parent: Empty widget of the step.
        name: Of the widgets: "pretrain" makes pretrainStart, pretrainCancel, ...
        onStart: Called by the button.
        onCancel: Called by the button.
        curves: Title of the chart; "" for a job without curves.
        plots: The PlotLayout that shows the chart.
    """

    def __init__(self, parent, name: str, onStart, onCancel, *, curves: str = "", plots=None) -> None:
        self.name = name
        self._title, self._plots = curves, plots
        self._curves: Curves | None = None
        column = qt.QVBoxLayout(parent)
        column.setContentsMargins(0, 0, 0, 0)
        self.start, self.cancel = self._button("Start", _("Start")), self._button("Cancel", _("Cancel"))
        self.showCurves, self.showLog = (
            self._toggle("Curves", _("Curves")),
            self._toggle("ShowLog", _("Log")),
        )
        self._row(column, [self.start])
        self._row(column, [self.cancel, self.showCurves, self.showLog])
        self.bar = self._named(qt.QProgressBar(), "Progress")
        self.bar.hide()
        self.line = self._named(qt.QLabel(), "Line")
        self.line.wordWrap = True
        self.log = self._named(qt.QPlainTextEdit(), "Log")
        self.log.readOnly = True
        self.log.setMaximumBlockCount(LOG_LINES)
        self.log.setMinimumHeight(120)
        self.log.hide()
        for widget in (self.bar, self.line, self.log):
            column.addWidget(widget)
        self.showCurves.setVisible(bool(curves))
        self.start.connect("clicked()", onStart)
        self.cancel.connect("clicked()", onCancel)
        self.showLog.connect("toggled(bool)", lambda isOn: self.log.setVisible(isOn))
        self.showCurves.connect("toggled(bool)", self._onShowCurves)
        self.setBusy(False)

    def showMessage(self, text: str) -> None:
        """Show one line below the progress bar."""
        self.line.text = breakable(inPanel(text))

    def appendLog(self, text: str) -> None:
        """Add lines to the log."""
        self.log.appendPlainText(inPanel(text))

    def setBusy(self, isBusy: bool) -> None:
        """Whether this box's job runs now."""
        allow(self.cancel, "" if isBusy else _("Nothing is running."), _("Save, then stop"))
        if isBusy:
            self.bar.show()
            self.bar.setRange(0, 0)  # moves without end until the first progress
        elif self.bar.maximum == 0:
            self.bar.setRange(0, 1)
            self.bar.setValue(0)

    def clear(self) -> None:
        """No job runs, and no message is shown: the state line says what a run folder holds."""
        self.log.clear()
        self.showMessage("")
        self.setBusy(False)
        self.bar.hide()

    def begin(self) -> None:
        """A new job starts: an empty log, and curves of its own."""
        self.log.clear()
        self.showMessage(_("Starting: PyTorch is being loaded ..."))
        self.setBusy(True)

    def onEvents(self, events) -> None:
        """Show events of the job as text and in the chart."""
        self.showEvents(events)
        self.drawCurves(events)

    def showEvents(self, events) -> None:
        """Show events of the job as text, without the chart."""
        for event in events:
            if event.get("kind") == "progress" and "steps" in event:
                self.fillCount(int(event["step"]), int(event["steps"]))
                self.showMessage(job_words.progressWords(event))
            elif event.get("kind") in ("preparing", "prepared") and event.get("cases"):
                number, total = int(event.get("number", 0)), int(event["cases"])
                self.fillCount(number, total)
                self.showMessage(job_words.readingWords(number, total))
            elif event.get("kind") == "case":
                self.showMessage(job_words.caseWords(event))
            elif event.get("kind") == "start":
                self.showMessage(_("Looking for cases and reading their headers ..."))
            elif text := _sentence(event):
                self.appendLog(text)
                self.showMessage(text)

    def drawCurves(self, events, *, isLive: bool = True) -> None:
        """Add points to the chart; of a live job, the first one brings the chart into the view layout."""
        if not self._title or not any("step" in event for event in events):
            return
        if self._curves is None or self._curves.is_lost:
            self._curves = Curves(self._title)
        isFirst = self._curves.chart is None
        if not self._curves.add(events):
            return
        if isFirst and isLive:
            self.showCurves.setChecked(True)
        if self.showCurves.checked:
            self._plots.fit()

    def forgetCurves(self) -> None:
        """Let the next points begin a new chart; the old nodes leave the scene."""
        if self._curves is not None:
            self._curves.remove()
        self._curves = None
        self.showCurves.setChecked(False)

    def fillCount(self, done: int, total: int) -> None:
        """Progress in whole cases or steps."""
        self.bar.setRange(0, max(1, total))
        self.bar.setValue(done)

    def _onShowCurves(self, isOn: bool) -> None:
        chart = self._curves.chart if self._curves is not None else None
        if isOn and chart is not None:
            self._plots.show(chart, self.showCurves)
        elif not isOn:
            self._plots.restore(self.showCurves)

    def _button(self, suffix: str, text: str):
        return self._named(qt.QPushButton(text), suffix)

    def _toggle(self, suffix: str, text: str):
        button = self._button(suffix, text)
        button.checkable = True
        return button

    def _named(self, widget, suffix: str):
        widget.setObjectName(self.name + suffix)
        return widget

    def _row(self, column, widgets) -> None:
        row = qt.QHBoxLayout()
        for widget in widgets:
            row.addWidget(widget)
        column.addLayout(row)


def _sentence(event) -> str:
    """The text of an event; "" for those that move bars or curves."""
    kind = event.get("kind")
    if kind in ("note", "warning", "result", "pseudo_labels") and event.get("text"):
        return f"{_('Warning')}: {event['text']}" if kind == "warning" else str(event["text"])
    if kind == "result":
        return _("{case} is segmented").format(case=event.get("case"))
    if kind == "validation":
        dice = ", ".join(f"{name} {value:.3f}" for name, value in event["dice"].items() if value is not None)
        return _("validation at step {step}: Dice {dice}").format(step=event.get("step"), dice=dice)
    return ""
