"""The documents as files and as text, for all tests of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The modules that put tables and links into the site; they need no MkDocs.
sys.path.append(str(ROOT / "docs" / "hooks"))


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def documents() -> dict[str, str]:
    """Every document that people read, by its path in the repository."""
    paths = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "Testing" / "Benchmarks" / "RESULTS.md"]
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in sorted(paths)}
