"""The string under each field of a settings dataclass: its help, tooltip and manual."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap


@functools.cache
def field_help(cls: type) -> dict[str, str]:
    """The help of each field of a class that was written in a file; fields without a string are left out."""
    found: dict[str, str] = {}
    for owner in reversed(cls.__mro__[:-1]):  # without object
        module = ast.parse(textwrap.dedent(inspect.getsource(owner)))
        (definition,) = module.body
        found |= strings_under_fields(definition) if isinstance(definition, ast.ClassDef) else {}
    return found


def strings_under_fields(definition: ast.ClassDef) -> dict[str, str]:
    """The help of each field of a class definition, on one line each."""
    found = {}
    for node, after in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and _is_text(after):
            found[node.target.id] = " ".join(ast.literal_eval(after.value).split())  # type: ignore[attr-defined]
    return found


def _is_text(node: ast.stmt) -> bool:
    constant = node.value if isinstance(node, ast.Expr) else None
    return isinstance(constant, ast.Constant) and isinstance(constant.value, str)
