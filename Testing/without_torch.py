"""Import all that Slicer loads, list the methods, and fail if that brought torch along."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = [f"ContrastiveSegLib.{room}" for room in ("errors", "volumes", "runs", "agreement", "phantoms")]
ROOMS += [
    room
    for room in ("ContrastiveSegLib.slicer_bridge", "ContrastiveSeg")
    if (ROOT / room.replace(".", "/")).is_dir()
]
HEAVY = ["torch", "monai"]


def modules_of(room: str) -> list[str]:
    """The room and every module in it, at any depth."""
    package = importlib.import_module(room)
    inside = pkgutil.walk_packages(getattr(package, "__path__", []), f"{room}.")
    return [room, *(module.name for module in inside)]


def main(arguments: list[str]) -> int:
    sys.path.insert(0, str(ROOT))
    installed = [name for name in HEAVY if importlib.util.find_spec(name)]
    if "--not-installed" in arguments and installed:
        print(
            f"This environment should prove that {installed} are not needed, but has them.", file=sys.stderr
        )
        return 1
    imported = [importlib.import_module(name).__name__ for room in ROOMS for name in modules_of(room)]
    methods = importlib.import_module("ContrastiveSegLib.runs.method_catalog").list_methods()
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
