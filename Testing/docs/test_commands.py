"""Every command that the documents show is one that the program understands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from ContrastiveSegLib.command_line import parse_command
from ContrastiveSegLib.settings.job_settings import JOBS

COMMAND = re.compile(r"^(?:python -m ContrastiveSegLib|contrastiveseg) +(.*)$")
BLOCK = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
# The log tells what was typed then, with the names of then.
PAST = ("docs/research-log/", "CHANGELOG.md")


def commands(documents: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    """The words after the program's name of each command, and the document that shows it."""
    for name, text in documents.items():
        if name.startswith(PAST):
            continue
        for _, block in BLOCK.findall(text):
            for line in block.replace("\\\n", " ").splitlines():
                if found := COMMAND.match(line.split("  #")[0].strip()):
                    yield name, shlex.split(found[1])


def test_the_program_understands_every_command_of_the_documents(documents: dict[str, str]) -> None:
    shown = [
        (name, words) for name, words in commands(documents) if words[0] in JOBS and "--help" not in words
    ]

    for name, words in shown:
        try:
            parse_command(words)
        except SystemExit:
            pytest.fail(f"{name}: {' '.join(words)}")

    assert len(shown) > 25


def test_commands_name_jobs_that_exist(documents: dict[str, str]) -> None:
    unknown = [(name, words[0]) for name, words in commands(documents) if words[0] not in (*JOBS, "JOB")]

    assert unknown == []


def test_flags_in_the_text_exist(documents: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    texts = {name: text for name, text in documents.items() if name.startswith(("docs/", "README"))}
    texts = {name: text for name, text in texts.items() if not name.startswith(PAST)}
    for words in [*([job] for job in JOBS), *_methods()]:
        with pytest.raises(SystemExit):
            parse_command([*words, "--help"])
    known = set(re.findall(r"--[a-z0-9-]+", capsys.readouterr().out)) | OTHER_PROGRAMS

    unknown = {
        f"{name}: {flag}"
        for name, text in texts.items()
        for code in re.findall(r"`([^`\n]+)`", text)
        for flag in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", code)
        if flag not in known
    }

    assert unknown == set()


# Flags of git, pip, Slicer and of the benchmarks.
OTHER_PROGRAMS = {"--no-deps", "--no-main-window", "--python-script", "--strict", "--method"}


def _methods() -> list[list[str]]:
    from ContrastiveSegLib.settings.method_catalog import list_methods

    job = {"pretraining": ["pretrain", "--method"], "finetuning": ["finetune", "--strategy"]}
    return [[*job[entry.kind], entry.name] for entry in list_methods()]


def test_make_targets_and_scripts_of_the_documents_exist(documents: dict[str, str], root: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    texts = {name: text for name, text in documents.items() if name != "CHANGELOG.md"}
    code = {name: [*re.findall(r"`([^`\n]+)`", text), *_blocks(text)] for name, text in texts.items()}

    made = {
        (name, t) for name, parts in code.items() for p in parts for t in re.findall(r"\bmake ([a-z-]+)", p)
    }
    scripts = {
        (name, script)
        for name, parts in code.items()
        for part in parts
        for script in re.findall(r"(?:Testing|Resources)/[\w/]+\.(?:py|sh)", part)
        if "NAME" not in script
    }

    assert len(made) > 8
    assert [(name, target) for name, target in made if target not in targets] == []
    assert len(scripts) > 8
    assert [(name, script) for name, script in scripts if not (root / script).is_file()] == []


def _blocks(text: str) -> list[str]:
    return [block for _, block in BLOCK.findall(text)]
