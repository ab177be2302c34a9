"""The tutorial for scientists does what it says: its commands run, one after the other."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import torch  # noqa: F401 - loaded before the session begins, so that it is given one thread

from ContrastiveSegLib.__main__ import main

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROGRAM = ["python", "-m", "ContrastiveSegLib"]


def test_every_command_of_the_tutorial_runs(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (root / "docs" / "tutorials" / "scientists.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}

    for language, block in BLOCK.findall(text):
        if language == "python":
            exec(compile(block, "scientists.md", "exec"), names)
            continue
        for line in block.strip().splitlines() if language == "bash" else ():
            words = shlex.split(line)
            assert words[:3] == PROGRAM, line
            assert main(words[3:]) == 0, line

    shown = capsys.readouterr().out
    assert "This machine is ready" in shown
    assert "pretrained: mean Dice" in shown
    assert len(list(Path("runs/tutorial/predictions").glob("*.seg.nrrd"))) == 2
    assert (tmp_path / "runs" / "tutorial" / "suggestions.png").is_file()
