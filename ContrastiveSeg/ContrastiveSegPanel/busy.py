"""While the window does not react: the step says what is being done, and the cursor shows that it waits."""

import contextlib

import slicer

from . import state_line


@contextlib.contextmanager
def busy(text: str, label=None):
    """Say what takes a moment, let the window draw it once, and take it back at the end, also after an error.

    Args:
        text: Such as "opening case_1".
        label: The state line that says so; None: the status bar of the window alone.
    """
    before: tuple = ()
    if label is not None:
        before = (label.text, label.property("state"), label.property(state_line.BUSY))
        # Drawing lets timers ring as well: what they find is shown afterwards.
        label.setProperty(state_line.BUSY, True)
        state_line.write(label, state_line.WORKING, text + " ...")
    slicer.util.showStatusMessage(text + " ...")
    try:
        with slicer.util.WaitCursor():  # draws what is above
            yield
    finally:
        slicer.util.showStatusMessage("")
        if before:
            label.text = before[0]
            label.setProperty("state", before[1])
            label.setProperty(state_line.BUSY, bool(before[2]))
