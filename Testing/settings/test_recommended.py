"""The few methods to try first come first everywhere, and are those that the documents name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ContrastiveSegLib.registry import ENGINE, Entry
from ContrastiveSegLib.settings.method_catalog import list_methods
from ContrastiveSegLib.settings.recommended import RECOMMENDED, braces, recommended_first

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("kind", RECOMMENDED)
def test_what_is_recommended_is_there(kind: str) -> None:
    assert [name for name in RECOMMENDED[kind] if not (ENGINE / kind / f"{name}.py").is_file()] == []


@pytest.mark.parametrize(
    ("kind", "page"),
    [("pretraining", "methods/index.md"), ("finetuning", "strategies/index.md"), ("networks", "networks.md")],
)
def test_the_documents_recommend_the_same(kind: str, page: str) -> None:
    advice = (DOCS / page).read_text("utf-8").partition("**Which one?**")[2].partition("\n## ")[0]

    assert set(RECOMMENDED[kind]) <= set(re.findall(r"`(\w+)`", advice))


def test_the_rest_follows_in_its_own_order() -> None:
    entries = [Entry(Path(f"{name}.py")) for name in ("byol", "pcl", "supercl", "wcl")]

    assert [entry.name for entry in recommended_first(entries, "pretraining")] == [
        "supercl", "pcl", "byol", "wcl",
    ]  # fmt: skip
    flags = [entry.is_recommended for entry in list_methods() if entry.kind == "pretraining"]
    assert flags == sorted(flags, reverse=True)
    assert True in flags
    assert False in flags


def test_the_help_shows_what_is_there_to_be_compared_apart() -> None:
    assert braces(["supercl", "byol", "wcl"], "pretraining") == "{supercl; to compare: byol,wcl}"
    assert braces(["mine"], "pretraining") == "{mine}"
