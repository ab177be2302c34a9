"""No file has more than 300 lines, and no function of the product more than 40, or more than 6 parameters."""

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


def _functions() -> dict[str, ast.FunctionDef]:
    return {
        f"{path}: {node.name}": node
        for path in _files(*PRODUCT)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
    }


def test_no_function_of_the_product_has_more_than_40_lines() -> None:
    lengths = {name: (f.end_lineno or f.lineno) - f.lineno + 1 for name, f in _functions().items()}

    assert {name: length for name, length in lengths.items() if length > 40} == {}


def test_no_function_of_the_product_has_more_than_6_parameters() -> None:
    counts = {}
    for name, function in _functions().items():
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        counts[name] = len([argument for argument in arguments if argument.arg not in ("self", "cls")])

    assert {name: count for name, count in counts.items() if count > 6} == {}
