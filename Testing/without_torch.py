"""Import all that Slicer loads, list the methods, and fail if that brought torch along."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from pathlib import Path
from unittest.mock import MagicMock

ROOT = Path(__file__).resolve().parent.parent
FACTS = (
    "errors",
    "disk",
    "imaging",
    "file_io",
    "dataset",
    "preprocessing",
    "postprocessing",
    "settings",
    "runs",
)
ROOMS = [f"ContrastiveSegLib.{room}" for room in (*FACTS, "evaluation", "phantoms")]
# Slicer puts the module's own folder on the path, so that its panel is a package at the top.
ROOMS += ["ContrastiveSegLib.slicer_bridge", "ContrastiveSeg", "ContrastiveSegPanel"]
HEAVY = ["torch", "monai"]
SLICERS = ["slicer", "slicer.i18n", "slicer.parameterNodeWrapper", "slicer.ScriptedLoadableModule"]
SLICERS += ["slicer.util", "vtk", "qt", "ctk"]


def modules_of(room: str) -> list[str]:
    """The room and every module in it, at any depth."""
    package = importlib.import_module(room)
    inside = pkgutil.walk_packages(getattr(package, "__path__", []), f"{room}.")
    return [room, *(module.name for module in inside)]


def stand_in_for_slicer() -> None:
    """Where there is no Slicer, its modules are made of nothing: only what they bring along matters here."""
    for name in SLICERS:
        sys.modules[name] = MagicMock(name=name)
    # A class cannot be derived from a mock.
    bases = ("ScriptedLoadableModule", "ScriptedLoadableModuleWidget", "ScriptedLoadableModuleLogic")
    for name in (*bases, "ScriptedLoadableModuleTest"):
        setattr(sys.modules["slicer.ScriptedLoadableModule"], name, type(name, (), {}))
    sys.modules["slicer.util"].VTKObservationMixin = type("VTKObservationMixin", (), {})


def main(arguments: list[str]) -> int:
    sys.path[:0] = [str(ROOT / "ContrastiveSeg"), str(ROOT)]
    stand_in_for_slicer()
    installed = [name for name in HEAVY if importlib.util.find_spec(name)]
    if "--not-installed" in arguments and installed:
        print(
            f"This environment should prove that {installed} are not needed, but has them.", file=sys.stderr
        )
        return 1
    imported = [importlib.import_module(name).__name__ for room in ROOMS for name in modules_of(room)]
    methods = importlib.import_module("ContrastiveSegLib.settings.method_catalog").list_methods()
    names = ", ".join(f"{method.kind} {method.name}" for method in methods)
    if not names:
        print("The method catalog is empty.", file=sys.stderr)
        return 1
    if loaded := [name for name in HEAVY if name in sys.modules]:
        print(f"Importing {', '.join(ROOMS)} brought {', '.join(loaded)} along.", file=sys.stderr)
        return 1
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"Python {version} without torch: {len(imported)} modules, and the methods {names}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
