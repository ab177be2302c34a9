"""Messages of the jobs in the words of the panel: names of fields and buttons instead of flags."""

import re

from slicer.i18n import tr as _

from ContrastiveSegLib.settings.flag_words import without_flags


def inPanel(text: str) -> str:
    """The text with the names of the form instead of flags, and with buttons instead of commands."""
    for expression, words in _instead():
        text = re.sub(expression, words, text)
    return without_flags(text)


def _instead():
    return (
        (r"Run: python -m pip install '?([\w.>=-]+)'?", _(r"Install \1 in the Python of step 0.")),
        (
            r"ModuleNotFoundError: No module named '(\w+)[^']*'",
            _(r"The Python package '\1' is not installed; install it in the Python of step 0."),
        ),
        (r"See with `python -m ContrastiveSegLib scan [^`]*` what", _("See in the table of step 1 what")),
        (r"See with `python -m ContrastiveSegLib models` which", _("See in the manual which")),
        (
            r"To move each slice to where it was taken: `python -m ContrastiveSegLib straighten [^`]*`",
            _("The manual of the job 'straighten' says how to move each slice to where it was taken"),
        ),
        (
            r"Add -v for the traceback, and report it with log\.txt",
            _("Report it with log.txt of the run folder"),
        ),
    )
