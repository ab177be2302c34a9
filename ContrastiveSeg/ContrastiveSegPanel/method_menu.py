"""A menu of methods with caption, a few recommended settings, and all others under Advanced."""

import json

import qt
from slicer.i18n import tr as _

from ContrastiveSegLib.errors import ContrastiveSegError
from ContrastiveSegLib.settings.method_catalog import list_methods
from ContrastiveSegLib.settings.schema import from_dict, with_current_names

from .form_fields import fieldsOfJob, fieldsOfMethod, furtherFields
from .settings_form import SettingsForm, nested

HEADING = "compared methods"
ENABLED = int(qt.Qt.UserRole) - 1  # where Qt's own model of a menu keeps what may be done with an entry


class MethodMenu:
    """Menu, caption and forms of one kind of method; there before torch is installed.

    Args:
        kind: "pretraining" or "finetuning": the folder of the methods.
        cls: The job's settings dataclass.
        chooser: Its setting that names the method.
        first: The settings that are seen at once; a dotted name leads into a group.
        elsewhere: The settings that the panel asks for, or knows, in another way.
        widgets: Menu, caption, and the empty widgets for the forms.
        onChange: Called after each change by the user.
    """

    def __init__(self, kind: str, cls, chooser: str, *, first, elsewhere, widgets, onChange) -> None:
        self._cls, self._chooser = cls, chooser
        self._first, self._elsewhere = first, elsewhere
        self._combo, self._caption, *places = widgets
        self._onChange = onChange
        self._entries = [entry for entry in list_methods() if entry.kind == kind]
        self._fill()
        self._forms = tuple(SettingsForm(place, kind, onChange) for place in places)
        self._combo.connect("currentIndexChanged(int)", self._onMethod)
        self.choose("", "{}")

    @property
    def entry(self):
        """The chosen method."""
        chosen = self._combo.currentData
        return next((entry for entry in self._entries if entry.name == chosen), self._entries[0])

    def choose(self, name: str, values: str) -> None:
        """Show a method with values as JSON text; "" is the job's default method."""
        names = [entry.name for entry in self._entries]
        default = next(f.default for f in fieldsOfJob(self._cls, [self._chooser]))
        wanted = name if name in names else default
        wasBlocked = self._combo.blockSignals(True)
        self._combo.currentIndex = self._combo.findData(wanted)
        self._combo.blockSignals(wasBlocked)
        self._show(with_current_names(self._cls, json.loads(values or "{}")))

    def values(self) -> dict:
        """Dotted key to value, only of what differs from the default.

        Raises:
            BadSetting: A text cannot be understood.
        """
        return {key: value for form in self._forms for key, value in form.values().items()}

    def option(self, name: str):
        """What one of the method's own settings is now; its default while the form cannot be understood."""
        default = next(field.default for field in self.entry.fields if field.name == name)
        try:
            return self.values().get(f"options.{name}", default)
        except ContrastiveSegError:
            return default

    def options(self) -> str:
        """What the user changed, as JSON text for the parameter node."""
        return json.dumps(self.values())

    def settings(self, **known) -> dict:
        """The settings of the job as plain values, checked.

        Raises:
            BadSetting: A value is not allowed.
        """
        wanted = {**nested(self.values()), self._chooser: self.entry.name, **known}
        from_dict(self._cls, {"run": ".", **wanted})
        return wanted

    def setEnabled(self, isEnabled: bool) -> None:
        """Let the user change settings or not."""
        for form in self._forms:
            form.setEnabled(isEnabled)

    def _fill(self) -> None:
        """The recommended methods, and below a heading that cannot be chosen all others."""
        for entry in self._entries:
            if not entry.is_recommended and self._combo.findData(HEADING) < 0:
                self._combo.addItem(_("Compared methods"), HEADING)
                self._combo.setItemData(self._combo.count - 1, 0, ENABLED)
            self._combo.addItem(entry.title, entry.name)

    def _onMethod(self, _index: int) -> None:
        self._show({})
        self._onChange()

    def _show(self, values) -> None:
        self._caption.text = self.entry.caption
        first, advanced = self._forms
        first.show(fieldsOfJob(self._cls, self._first), values)
        others = furtherFields(self._cls, {*self._first, *self._elsewhere})
        advanced.show([*fieldsOfMethod(self.entry), *others], values)
