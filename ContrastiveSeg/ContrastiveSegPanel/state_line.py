"""The line under each step's title that says: done, ready, at work, what is missing, or what went wrong."""

import re

from slicer.i18n import tr as _

from .panel_words import inPanel

DONE, READY, WORKING, MISSING, FAILED = "done", "ready", "working", "missing", "failed"

BUSY = "isBusy"  # property of a label
LONG_WORD = 24  # characters; a longer one may be broken, lest a path decides the width of the panel
_PART = re.compile(r"([/\\_.,-]|[^/\\_.,-]{12})")

# Dark enough on white and light enough on Slicer's dark style.
COLORS = {DONE: "#2e8b57", READY: "#2f7fc1", WORKING: "#c77700", MISSING: "#808080", FAILED: "#d03030"}


def words(kind: str) -> str:
    """The first word of the line."""
    return {
        DONE: _("Done"),
        READY: _("Ready"),
        WORKING: _("Working"),
        MISSING: _("Missing"),
        FAILED: _("Failed"),
    }[kind]


def show(label, kind: str, text: str) -> None:
    """Write a state into a label; its dynamic property tells tests and style sheets which one.

    While the label says what takes a moment, it goes on saying so.
    """
    if not label.property(BUSY):
        write(label, kind, text)


def write(label, kind: str, text: str) -> None:
    """As `show`, whatever the label says now."""
    text = inPanel(text)
    label.setProperty("state", kind)
    label.text = f"<b style='color:{COLORS[kind]}'>{words(kind)}</b>&nbsp; {escaped(text)}"


def escaped(text: str) -> str:
    """Plain text for a label that knows HTML."""
    plain = breakable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return plain.replace("\n", "<br>")


def breakable(text: str) -> str:
    """The text with places, not to be seen, where long words such as paths may be broken."""
    return re.sub(rf"\S{{{LONG_WORD},}}", lambda word: _PART.sub("\\1\u200b", word[0]), text)


def allow(button, reason: str = "", tip: str = "") -> None:
    """Switch a button on, or off with a tooltip that says why."""
    button.enabled = not reason
    button.toolTip = inPanel(reason or tip)
