"""The string under a field is its help."""

from __future__ import annotations

from dataclasses import dataclass

from ContrastiveSegLib.settings.field_help import field_help


@dataclass(frozen=True)
class Example:
    """Not a field's help."""

    first: int = 1
    """One sentence that goes on
    in a second line."""
    silent: int = 2
    third: int = 3
    """The third."""

    def method(self) -> None:
        """Not a field's help either."""


def test_each_string_belongs_to_the_field_above_it() -> None:
    assert field_help(Example) == {
        "first": "One sentence that goes on in a second line.",
        "third": "The third.",
    }


def test_a_class_inside_a_function_can_be_read() -> None:
    @dataclass(frozen=True)
    class Local:
        value: int = 1
        """The value."""

    assert field_help(Local) == {"value": "The value."}
