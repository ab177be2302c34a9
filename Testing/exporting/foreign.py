"""The Python of the foreign programs, which `.ci/run` installs in an environment of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Made by `make foreign`; another place, such as an environment that is there already, by the variable.
FOREIGN = Path(
    os.environ.get("CONTRASTIVESEG_FOREIGN_PYTHON")
    or Path(__file__).parents[2] / ".venv-foreign" / "bin" / "python"
)

needs_foreign = pytest.mark.skipif(
    not FOREIGN.is_file(), reason="foreign programs are not installed: make foreign, as .ci/run does"
)
