"""List the methods there are: kind, name and caption, one per line, separated by tabs."""

from __future__ import annotations

import sys

from ContrastiveSegLib.settings.job_settings import MethodsSettings
from ContrastiveSegLib.settings.method_catalog import list_methods


def run(settings: MethodsSettings) -> None:  # noqa: ARG001 - every job is called with its settings
    """Write the list to the standard output: what to try first, then what is there to be compared."""
    for heading, is_recommended in (("# recommended", True), ("# compared methods", False)):
        sys.stdout.write(f"{heading}\n")
        for entry in list_methods():
            if entry.is_recommended == is_recommended:
                sys.stdout.write(f"{entry.kind}\t{entry.name}\t{entry.caption}\n")
