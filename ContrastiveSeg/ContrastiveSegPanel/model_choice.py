"""Which promptable model, from which checkpoint, and its license; there before torch is installed."""

from pathlib import Path

from slicer.i18n import tr as _

from ContrastiveSegLib.settings.model_catalog import DEFAULT, list_models

from .path_field import PathField

AUTO = "auto"


class ModelChoice:
    """Menu, path and license line of one job.

    Args:
        name: Of the job; its widgets and parameters begin with it.
        makes: What the job can use: "masks", "volumes".
        onChange: Called after each change by the user.
    """

    def __init__(self, panel, name: str, makes, onChange) -> None:
        self._panel, self._name, self._onChange = panel, name, onChange
        ui = panel.ui
        self._combo, path, self._license = (
            getattr(ui, name + word) for word in ("Model", "Checkpoint", "License")
        )
        self._entries = [entry for entry in list_models() if entry.makes in makes]
        self._default = next(entry for entry in self._entries if entry.name == DEFAULT)
        self._combo.addItem(
            _("Automatic: {model}, or that of the checkpoint").format(model=self._default.title)
        )
        for entry in self._entries:
            self._combo.addItem(entry.title)
        self._combo.connect("currentIndexChanged(int)", self._onModel)
        self.path = PathField(path, self._onPath)

    @property
    def entry(self):
        """The chosen family; None where only the checkpoint can tell."""
        index = self._combo.currentIndex
        if index > 0:
            return self._entries[index - 1]
        return None if self._checkpoint else self._default

    @property
    def _checkpoint(self) -> str:
        return getattr(self._panel.parameters, f"{self._name}Checkpoint")

    def fill(self) -> None:
        """Show what the parameter node remembers."""
        names = [AUTO, *(entry.name for entry in self._entries)]
        chosen = getattr(self._panel.parameters, f"{self._name}Model")
        wasBlocked = self._combo.blockSignals(True)
        self._combo.currentIndex = names.index(chosen) if chosen in names else 0
        self._combo.blockSignals(wasBlocked)
        self.path.show(self._checkpoint)
        self._tell()

    def settings(self) -> dict:
        """The job's settings, as plain values."""
        index = self._combo.currentIndex
        model = self._entries[index - 1].name if index > 0 else AUTO
        named = {"checkpoint": self._checkpoint} if self._checkpoint else {}
        return {"promptable": {"model": model, **named}}

    def whyNot(self) -> str:
        """Why the model cannot be asked, "" if it can or only the job will know."""
        if self._checkpoint:
            isThere = Path(self._checkpoint).exists()
            return "" if isThere else _("There is no checkpoint {path}.").format(path=self._checkpoint)
        entry = self.entry
        # What another Python has installed, its job will say.
        isElsewhere = entry.carried is not None and self._panel.logic.externalPython()
        if entry.has_weights_here or isElsewhere:
            return ""
        text = _("No weights of {model} were found; choose a checkpoint. How to get them: {how}")
        return text.format(model=entry.title, how=entry.how)

    def _onModel(self, _index: int) -> None:
        model = self.settings()["promptable"]["model"]
        setattr(self._panel.parameters, f"{self._name}Model", model)
        self._tell()
        self._onChange()

    def _onPath(self, path: str) -> None:
        setattr(self._panel.parameters, f"{self._name}Checkpoint", path)
        self._tell()
        self._onChange()

    def _tell(self) -> None:
        entry = self.entry
        self._license.text = (
            _("{model}; license of its weights: {license}").format(model=entry.title, license=entry.license)
            if entry
            else _("The license is that of the checkpoint's family; see the log.")
        )
