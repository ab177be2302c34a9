"""The manual explains messages that the program really says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

GAP = "…"


def _texts(folder: Path) -> list[str]:
    """Every text of the code, with a gap where a value is put in."""
    found = []
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [p.value if isinstance(p, ast.Constant) else GAP for p in node.values]
                found.append("".join(str(part) for part in parts))
    return found


@pytest.fixture(scope="module")
def texts(root: Path) -> str:
    """All texts of engine and panel, one per line."""
    code = [*_texts(root / "ContrastiveSegLib"), *_texts(root / "ContrastiveSeg")]
    return "\n".join(" ".join(text.split()) for text in code)


def test_each_heading_is_a_message_of_the_code(root: Path, texts: str) -> None:
    page = (root / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    headings = re.findall(r"^### (.+)$", page, re.MULTILINE)

    unknown = [
        heading
        for heading in headings
        for sentence in re.split(r"(?<=[.?…]) (?=[A-Z])", heading)
        if not _is_said(sentence, texts)
    ]

    assert len(headings) > 30
    assert unknown == []


def _is_said(sentence: str, texts: str) -> bool:
    parts = [re.escape(part.strip()) for part in sentence.split(GAP) if part.strip(" .,:")]
    return re.search("[^\n]*".join(parts), texts) is not None


def test_a_message_nobody_says_would_be_found(texts: str) -> None:
    assert _is_said("… is constant: every voxel has the value …", texts)
    assert not _is_said("… is tired: every voxel sleeps", texts)
