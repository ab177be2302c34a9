"""A menu of methods with captions and, unfolded, the chosen method's settings as a form."""

import json

from ContrastiveSegLib.runs.method_catalog import list_methods
from ContrastiveSegLib.runs.settings import from_dict

from .form_fields import fieldsOfJob, fieldsOfMethod
from .settings_form import SettingsForm, nested


class MethodMenu:
    """Menu, caption and form of one kind of method; there before torch is installed.

    Args:
        kind: "pretraining" or "finetuning": the folder of the methods.
        cls: The job's settings dataclass.
        chooser: Its setting that names the method.
        names: The job's own settings to show below those of the method.
        onChange: Called after each change by the user.
    """

    def __init__(self, kind: str, cls, chooser: str, names, *, combo, caption, parent, onChange) -> None:
        self._cls, self._chooser, self._names = cls, chooser, names
        self._combo, self._caption, self._onChange = combo, caption, onChange
        self._entries = [entry for entry in list_methods() if entry.kind == kind]
        for entry in self._entries:
            combo.addItem(entry.caption.partition(":")[0], entry.name)
        self.form = SettingsForm(parent, kind, onChange)
        combo.connect("currentIndexChanged(int)", self._onMethod)
        self.choose("", "{}")

    @property
    def entry(self):
        """The chosen method."""
        return self._entries[max(0, self._combo.currentIndex)]

    def choose(self, name: str, values: str) -> None:
        """Show a method with values as JSON text; "" is the job's default method."""
        names = [entry.name for entry in self._entries]
        default = next(f.default for f in fieldsOfJob(self._cls, [self._chooser]))
        wanted = name if name in names else default
        wasBlocked = self._combo.blockSignals(True)
        self._combo.currentIndex = names.index(wanted)
        self._combo.blockSignals(wasBlocked)
        self._show(json.loads(values or "{}"))

    def options(self) -> str:
        """What the user changed, as JSON text for the parameter node."""
        return json.dumps(self.form.values())

    def settings(self, **known) -> dict:
        """The settings of the job as plain values, checked.

        Raises:
            BadSetting: A value is not allowed.
        """
        wanted = {**nested(self.form.values()), self._chooser: self.entry.name, **known}
        from_dict(self._cls, {"run": ".", **wanted})
        return wanted

    def _onMethod(self, _index: int) -> None:
        self._show({})
        self._onChange()

    def _show(self, values) -> None:
        self._caption.text = self.entry.caption
        fields = [*fieldsOfMethod(self.entry), *fieldsOfJob(self._cls, self._names)]
        self.form.show(fields, values)
