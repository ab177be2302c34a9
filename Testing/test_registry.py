"""What can be chosen is a file in a folder; files are parsed once, and anew when they change."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from ContrastiveSegLib.errors import BadFile, BadSetting
from ContrastiveSegLib.registry import ENGINE, list_entries, load_entry, parsed
from ContrastiveSegLib.settings.field_help import field_help
from ContrastiveSegLib.settings.job_settings import FinetuneSettings
from ContrastiveSegLib.settings.method_catalog import list_methods
from ContrastiveSegLib.settings.rules import rules_of


@pytest.mark.parametrize("room", ["pretraining", "finetuning", "networks", "sam", "jobs"])
def test_a_name_that_is_not_in_the_folder_is_refused_with_those_that_are(room: str) -> None:
    known = [entry.name for entry in list_entries(ENGINE / room)]

    with pytest.raises(
        BadSetting, match=rf"no thing '{known[0]}x'\. Did you mean '{known[0]}'\?.*{known[-1]}"
    ):
        load_entry(room, f"{known[0]}x", what="thing")


def test_a_file_counts_if_it_defines_what_its_kind_must(tmp_path: Path) -> None:
    for name, text in {"a": "CARD = 1", "b": "x = CARD", "c": "class CARD: pass", "_d": "CARD = 1"}.items():
        (tmp_path / f"{name}.py").write_text(f'"""Caption {name}: more.\n\nBody."""\n{text}\n', "utf-8")

    found = list_entries(tmp_path, defining="CARD")

    assert [(entry.name, entry.caption, entry.title) for entry in found] == [
        ("a", "Caption a: more.", "Caption a"),
        ("c", "Caption c: more.", "Caption c"),
    ]
    assert len(list_entries(tmp_path)) == 3


def test_a_file_that_is_no_python_is_named(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("A = (", "utf-8")

    with pytest.raises(BadFile, match=r"one\.py cannot be read: .*Correct the file"):
        list_entries(tmp_path, defining="A")


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
