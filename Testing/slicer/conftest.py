"""The host's own tests run in an environment with slicer-core and PySide6 (`make test-slicer`), and are not seen elsewhere."""

from __future__ import annotations

import importlib.util

if importlib.util.find_spec("slicer") and importlib.util.find_spec("PySide6"):
    from Testing.slicer_host.fixtures import a_panel, a_slicer

    __all__ = ["a_panel", "a_slicer"]
else:
    collect_ignore_glob = ["*"]
