"""No file has more than 300 lines, and no function of the product more than 40."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRODUCT = ("ContrastiveSeg", "ContrastiveSegLib")


def _files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def test_no_file_has_more_than_300_lines() -> None:
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in _files(*PRODUCT, "Testing")}

    assert len(lengths) > 400
    assert {str(path): length for path, length in lengths.items() if length > 300} == {}


def test_no_function_of_the_product_has_more_than_40_lines() -> None:
    functions = {
        f"{path}: {node.name}": node.end_lineno - node.lineno + 1
        for path in _files(*PRODUCT)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.end_lineno
    }

    assert {name: length for name, length in functions.items() if length > 40} == {}
