"""Files that forms ask for again and again are parsed once, and anew when they change."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from ContrastiveSegLib.settings.field_help import field_help
from ContrastiveSegLib.settings.job_settings import FinetuneSettings
from ContrastiveSegLib.settings.method_catalog import list_methods
from ContrastiveSegLib.settings.parsed_file import parsed
from ContrastiveSegLib.settings.rules import rules_of


def test_a_file_is_parsed_once_and_anew_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "one.py"
    path.write_text("A = 1\n", encoding="utf-8")
    first = parsed(path)
    assert parsed(path) is first

    path.write_text("A = 2\n", encoding="utf-8")
    os.utime(path, ns=(1, 1))

    assert ast.unparse(parsed(path)) == "A = 2"


def test_a_file_that_is_gone_or_no_python_says_so_each_time(tmp_path: Path) -> None:
    path = tmp_path / "one.py"
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            parsed(path)
    path.write_text("A = (", encoding="utf-8")
    for _ in range(2):
        with pytest.raises(SyntaxError):
            parsed(path)


def test_listing_methods_again_parses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    known = list_methods(), field_help(FinetuneSettings), rules_of(FinetuneSettings)
    evaluated = []
    monkeypatch.setattr(ast, "parse", lambda *words, **_: evaluated.append(words))

    again = list_methods(), field_help(FinetuneSettings), rules_of(FinetuneSettings)

    assert again == known
    assert evaluated == []
