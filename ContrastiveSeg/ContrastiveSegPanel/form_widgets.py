"""One widget for one setting: a menu, a check box, a number, a file chooser, or a line of text."""

import math
from pathlib import Path

import ctk
import qt
from slicer.i18n import tr as _

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.settings.network_catalog import list_networks
from ContrastiveSegLib.settings.recommended import RECOMMENDED
from ContrastiveSegLib.settings.rules import IsFolder, NetworkName

SIGNALS = {
    "choice": "currentIndexChanged(int)",
    "flag": "toggled(bool)",
    "whole": "valueChanged(int)",
    "number": "valueChanged(double)",
    "path": "currentPathChanged(QString)",
    "text": "textChanged(QString)",
}
SHORTEST = 6  # characters that a menu shows at least; its longest entry would decide the width of the panel


def widgetFor(field, value):
    """A new widget that holds a value."""
    return _MAKERS[kindOf(field)](field, value)


def kindOf(field) -> str:
    """Which widget a setting gets; texts also hold what may be empty, and lists."""
    rule = field.rule
    if rule.choices or rule.marked(NetworkName):
        return "choice"
    if rule.kind is bool:
        return "flag"
    if rule.kind is Path:
        return "path"
    if rule.kind in (int, float) and not rule.optional and field.bounds:
        return "whole" if rule.kind is int else "number"
    return "text"


def valueOf(field, widget):
    """What a widget holds, as a plain value.

    Raises:
        BadSetting: A text cannot be understood.
    """
    kind = kindOf(field)
    if kind == "choice":
        return _choices(field)[widget.currentIndex][0]
    if kind == "flag":
        return bool(widget.checked)
    if kind == "whole":
        return int(widget.value)
    if kind == "number":
        return round(float(widget.value), 12)
    return _parsed(field, (widget.currentPath if kind == "path" else widget.text).strip())


def plain(value):
    """As it is written in a settings file."""
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value


def shrinkable(combo) -> None:
    """Let a menu be narrower than its longest entry."""
    combo.sizeAdjustPolicy = qt.QComboBox.AdjustToMinimumContentsLengthWithIcon
    combo.minimumContentsLength = SHORTEST
    combo.setSizePolicy(qt.QSizePolicy.Expanding, qt.QSizePolicy.Fixed)


def _choices(field) -> list:
    """Value and words of each choice."""
    if field.rule.marked(NetworkName):
        found = [(entry.name, _called(entry)) for entry in list_networks()]
        return found if field.default else [("", _("as pre-trained")), *found]
    words = field.label.choices if field.label else ()
    return list(zip(field.rule.choices, words or map(str, field.rule.choices), strict=True))


def _called(network) -> str:
    """The name of a network, and whether it is there to be compared with the recommended one."""
    if network.name in RECOMMENDED["networks"]:
        return network.title
    return _("{network} (compared)").format(network=network.title)


def _menu(field, value):
    combo = qt.QComboBox()
    shrinkable(combo)
    for _value, words in _choices(field):
        combo.addItem(words)
    values = [choice for choice, _words in _choices(field)]
    combo.currentIndex = values.index(value) if value in values else 0
    return combo


def _checkBox(_field, value):
    box = qt.QCheckBox()
    box.checked = bool(value)
    return box


def _wholeNumber(field, value):
    low, high = field.bounds
    box = qt.QSpinBox()
    box.setRange(int(low), int(min(high, 2**31 - 1)))
    box.value = value
    return box


def _number(field, value):
    low, high = field.bounds
    box = qt.QDoubleSpinBox()
    # Decimals before value: 0.0003 would otherwise become 0.00.
    smallest = min((abs(x) for x in (field.default, low) if x), default=0.01)
    box.setDecimals(max(2, 2 - math.floor(math.log10(smallest))))
    box.setRange(low, high)
    box.setSingleStep(
        10 ** math.floor(math.log10(abs(field.default) or 1)) / (1 if field.default >= 1 else 2)
    )
    box.value = value
    return box


def _fileChooser(field, value):
    edit = ctk.ctkPathLineEdit()
    folders = field.rule.marked(IsFolder)
    edit.filters = ctk.ctkPathLineEdit.Dirs if folders else ctk.ctkPathLineEdit.Files
    edit.currentPath = _text(value)
    return edit


def _line(field, value):
    edit = qt.QLineEdit()
    isOpen = field.rule.optional or field.default in ("", ())
    edit.setPlaceholderText(_("automatic") if isOpen else "")
    edit.text = _text(value)
    return edit


_MAKERS = {
    "choice": _menu,
    "flag": _checkBox,
    "whole": _wholeNumber,
    "number": _number,
    "path": _fileChooser,
    "text": _line,
}


def _parsed(field, text):
    if not text:
        return None if field.rule.optional else plain(field.default)
    try:
        if field.rule.kind is tuple:
            return [_numberOrWord(word) for word in text.replace(",", " ").split()]
        return field.rule.kind(text) if field.rule.kind in (int, float) else text
    except ValueError as error:
        what = _("The setting '{name}' is '{text}'; allowed is {words}.")
        raise BadSetting(
            what.format(name=field.caption, text=text, words=field.rule.words),
            _("Change it, and start again."),
        ) from error


def _numberOrWord(word: str):
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word  # a list of names


def _text(value) -> str:
    if value is None:
        return ""
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
