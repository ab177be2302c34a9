"""A bar and a button below the case table, seen only while a folder is being read."""

import qt
from slicer.i18n import tr as _


class ScanRow:
    """Progress of a CaseReader.

    Args:
        parent: Empty widget of the step.
        onStop: Called by the button.
    """

    def __init__(self, parent, onStop) -> None:
        row = qt.QHBoxLayout(parent)
        row.setContentsMargins(0, 0, 0, 0)
        self.bar = qt.QProgressBar()
        self.bar.setObjectName("scanProgress")
        self.button = qt.QPushButton(_("Stop reading"))
        self.button.setObjectName("scanCancel")
        self.button.toolTip = _("Keep what was found so far")
        for widget in (self.bar, self.button):
            row.addWidget(widget)
            widget.hide()
        self.button.connect("clicked()", onStop)

    def show(self, reader) -> None:
        """How far the reader is."""
        self.bar.setVisible(reader.isReading)
        self.button.setVisible(reader.isReading)
        # Without an end the bar moves to and fro: nobody knows how many files there are.
        self.bar.setRange(0, len(reader.cases) if reader.isFound else 0)
        self.bar.setValue(reader.headersRead)
