"""Report into a run folder, or, where the user named none, to the terminal alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.session.reporter import Reporter, working


@contextmanager
def reporting(run: Path | None, job: str, settings: object = None) -> Iterator[Reporter]:
    """The reporter of a job; without a run folder its events go to a folder that vanishes at the end."""
    if run is not None:
        with working(RunFolder(run), job, settings) as reporter:
            yield reporter
    else:
        with tempfile.TemporaryDirectory() as nowhere, working(RunFolder(Path(nowhere)), job) as reporter:
            yield reporter
