"""The list of names that a running Slicer had, and questions to it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

# Slicer 5.13 has it, Slicer 5.12 has not.
_NEWER = {"slicer.util": {"LazyImport"}}


def api_path() -> Path:
    """Where the list lies."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "slicer_api.json"
    data = os.environ.get("CONTRASTIVESEG_TEST_DATA")
    default = Path(data).parent / "slicer_api.json" if data else beside
    return Path(os.environ.get("CONTRASTIVESEG_SLICER_API", default))


@dataclass(frozen=True)
class ClassNames:
    """What one class of widgets has, what it inherits from QWidget included."""

    properties: frozenset[str]
    signatures: frozenset[str]
    methods: frozenset[str]

    @cached_property
    def signals(self) -> frozenset[str]:
        """The names of the signals."""
        return frozenset(signature.partition("(")[0] for signature in self.signatures)

    def __contains__(self, name: str) -> bool:
        """Whether the class has the name in any role."""
        return name in self.properties or name in self.signals or name in self.methods


class SlicerApi:
    """Everything the list says."""

    def __init__(self, path: Path) -> None:
        self._facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))

    def class_names(self, name: str) -> ClassNames | None:
        """What `qt.QLabel`, `ctk.ctkComboBox` or `slicer.qMRMLWidget` has; None for classes not described."""
        facts = self._facts["widgets"].get(name)
        if facts is None:
            return None
        both = [self._facts["QWidget"], facts]
        slots = {slot.partition("(")[0] for part in both for slot in part["slots"]}
        return ClassNames(
            frozenset(entry for part in both for entry in part["properties"]),
            frozenset(entry for part in both for entry in part["signals"]),
            frozenset(slots | {entry for part in both for entry in part["members"]}),
        )

    def classes(self, prefix: str) -> frozenset[str]:
        """The names of all classes of `ctk` or `slicer`, described or not."""
        group = {"ctk": "all ctk classes", "slicer": "all qMRML/qSlicer classes"}[prefix]
        described = {
            name.partition(".")[2] for name in self._facts["widgets"] if name.startswith(f"{prefix}.")
        }
        return frozenset(self._facts[group]) | described

    def functions(self, module: str) -> dict[str, str]:
        """The names of a module or class with their signatures; empty texts where none is known."""
        known = self._facts["modules"][module]
        named = known if isinstance(known, dict) else dict.fromkeys(known, "")
        return {name: text for name, text in named.items() if name not in _NEWER.get(module, ())}

    def members(self, what: str) -> frozenset[str]:
        """The names of an object such as `slicer.app`."""
        return frozenset(self._facts["objects"][what])
