"""What users read has no sentence with more than two figures; more belong into a table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The research log is written for developers, and reports measurements.
FOLDERS = ("concepts", "decisions", "extending", "jobs", "layouts", "methods", "strategies", "tutorials")
PAGES = [
    ROOT / "README.md",
    *sorted(page for folder in FOLDERS for page in (ROOT / "docs" / folder).glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
# Code, equations, addresses, dates, and names that have a number in them.
NO_PROSE = re.compile(
    r"```.*?```|\$\$.*?\$\$|\$[^$]*\$|`[^`]*`|\]\([^)]*\)|^\|.*?$"
    r"|\b(19|20)\d\d(-\d\d-\d\d)?\b|arXiv \S+|doi \S+",
    re.DOTALL | re.MULTILINE,
)
SENTENCE_END = re.compile(r"(?<=[.!?:;])\s+|\n\n|\n- |\n\d+\. ")
# "128 x 128" and "250 000" are one figure each.
FIGURE = re.compile(r"(?<![\w.,-])\d+(?:[.,]\d+)*(?:(?: x | )\d+)*(?![\w-])")


def sentences_with_too_many_figures(text: str) -> list[str]:
    prose = NO_PROSE.sub("", text)
    return [sentence for sentence in SENTENCE_END.split(prose) if sentence and _figures(sentence) > 2]


def _figures(sentence: str) -> int:
    return len(FIGURE.findall(sentence))


def test_figures_are_counted_as_people_see_them() -> None:
    assert _figures("Cells of 8 x 8 pixels in 250 000 steps") == 2
    assert _figures("0.840 and 0.849 on 52 patients") == 3
    assert sentences_with_too_many_figures("In 2026 it was `1 2 3` of 4, 5 or 6. Then 7.") == [
        "In  it was  of 4, 5 or 6."
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_sentence_has_more_than_two_figures(page: Path) -> None:
    assert sentences_with_too_many_figures(page.read_text(encoding="utf-8")) == []
