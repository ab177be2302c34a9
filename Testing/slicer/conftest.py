"""These tests run where slicer-core and PySide6 are (`make test-slicer`), and are not seen elsewhere."""

from __future__ import annotations

import importlib.util

if importlib.util.find_spec("slicer") and importlib.util.find_spec("PySide6"):
    from Testing.slicer_host.fixtures import a_panel, a_slicer
    from Testing.slicer_host.host import start

    # Test files import qt, ctk and slicer as a module of Slicer does.
    start()
    __all__ = ["a_panel", "a_slicer"]
else:
    collect_ignore_glob = ["*"]
