"""These tests run where slicer-core and PySide6 are (`make test-slicer`), and are not seen elsewhere."""

from __future__ import annotations

import importlib.util

if importlib.util.find_spec("slicer") and importlib.util.find_spec("PySide6"):
    from Testing.slicer.panel_fixtures import (
        a_learned_run,
        a_pretrained_run,
        a_quick_panel,
        a_real_panel,
        a_trained_run,
        learned,
        listed,
        phantoms,
    )
    from Testing.slicer_host.fixtures import a_panel, a_slicer
    from Testing.slicer_host.host import start

    # Test files import qt, ctk and slicer as a module of Slicer does.
    start()
    # Here and not in each file: there, what lives as long as the session would be made once per file.
    __all__ = [
        "a_learned_run",
        "a_panel",
        "a_pretrained_run",
        "a_quick_panel",
        "a_real_panel",
        "a_slicer",
        "a_trained_run",
        "learned",
        "listed",
        "phantoms",
    ]
else:
    collect_ignore_glob = ["*"]
