"""No sentence of the jobs reaches the panel with flags or commands in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from Testing.slicer.panel_fixtures import TERMINAL_WORDS, shown_texts

ENGINE = Path(__file__).parents[2] / "ContrastiveSegLib"
# They speak to a terminal alone.
TERMINAL = {
    "command_line.py",
    "__main__.py",
    "engine.py",
    "process.py",
    "models.py",
    "demo.py",
    "environment.py",
    "_bundle_configs.py",  # a file of its own, for other programs
    "division.py",  # of several processes, which the panel never starts
    "coordination.py",
}


def _sentences() -> Iterator[tuple[str, str]]:
    """Every text in the engine's code that is no docstring, with its file; what is filled in stands as X."""
    for path in sorted(ENGINE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        silent |= {
            id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values
        }
        for node in ast.walk(tree) if path.name not in TERMINAL else ():
            if isinstance(node, ast.JoinedStr):
                yield (
                    path.name,
                    "".join(
                        str(getattr(part, "value", "X")) if isinstance(part, ast.Constant) else "X"
                        for part in node.values
                    ),
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
                yield path.name, node.value


def test_everything_the_engine_says_can_be_said_in_the_panel(a_quick_panel):
    from ContrastiveSegPanel.panel_words import inPanel

    said = [(name, text) for name, text in _sentences() if " " in text]

    assert len(said) > 300
    assert [(name, inPanel(text)) for name, text in said if TERMINAL_WORDS.search(inPanel(text))] == []


def test_an_error_of_a_job_names_the_fields_of_the_form(a_quick_panel):
    panel = a_quick_panel

    panel.panel.explain(
        "pretrain", "Memory ran out. Choose a smaller --patch or fewer --base-channels, or another device."
    )
    panel.panel.explain(
        "predict", "The Python package 'tyro' is not installed. Run: python -m pip install tyro"
    )

    assert "Choose a smaller 'patch size' or fewer 'base channels', or" in panel.ui.pretrainState.text
    assert "is not installed. Install tyro in the Python of step 0." in panel.ui.predictState.text


def test_the_scan_of_the_fixtures_sees_labels_tooltips_logs_and_tables(a_quick_panel, phantoms, tmp_path):
    panel = a_quick_panel
    panel.choose(phantoms, tmp_path / "run")
    panel.child("pretrainLog").appendPlainText("a line of the log")

    texts = shown_texts(panel)

    for text in (
        "0. Set-up",
        "phantom_001",
        "a line of the log",
        "learning rate",
        "Learn from all volumes of step 1",
    ):
        assert any(text in shown for shown in texts), text
