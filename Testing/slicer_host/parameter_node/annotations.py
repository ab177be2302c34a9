"""What may stand beside a type in `Annotated[...]`: limits, choices, defaults and hints for widgets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


class Validator:
    """Refuses values by raising ValueError."""

    def validate(self, value: Any) -> None:
        """Raise if the value cannot be taken."""
        raise NotImplementedError


@dataclass(frozen=True)
class Minimum(Validator):
    """The least value."""

    minimum: float

    def validate(self, value: Any) -> None:
        """Refuse what is less."""
        if value is not None and value < self.minimum:
            raise ValueError(f"Value must be greater than or equal to {self.minimum}, is {value}")


@dataclass(frozen=True)
class Maximum(Validator):
    """The greatest value."""

    maximum: float

    def validate(self, value: Any) -> None:
        """Refuse what is greater."""
        if value is not None and value > self.maximum:
            raise ValueError(f"Value must be less than or equal to {self.maximum}, is {value}")


@dataclass(frozen=True)
class WithinRange(Validator):
    """Both limits."""

    minimum: float
    maximum: float

    def validate(self, value: Any) -> None:
        """Refuse what lies outside."""
        if value is not None and not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must be within range [{self.minimum}, {self.maximum}], is {value}")


class Choice(Validator):
    """One of these values."""

    def __init__(self, choices: Iterable[Any]) -> None:
        self.choices = list(choices)

    def validate(self, value: Any) -> None:
        """Refuse what is not among them."""
        if value not in self.choices:
            raise ValueError(f"Value must be one of {self.choices}, is {value!r}")


class Exclude(Validator):
    """None of these values."""

    def __init__(self, excludedValues: Iterable[Any]) -> None:
        self.excludedValues = list(excludedValues)

    def validate(self, value: Any) -> None:
        """Refuse what is among them."""
        if value in self.excludedValues:
            raise ValueError(f"Value must not be one of {self.excludedValues}, is {value!r}")


class NotNone(Validator):
    """Something."""

    def validate(self, value: Any) -> None:
        """Refuse None."""
        if value is None:
            raise ValueError("Value must not be None")


class IsInstance(Validator):
    """An object of this class."""

    def __init__(self, classtype: type) -> None:
        self.classtype = classtype

    def validate(self, value: Any) -> None:
        """Refuse objects of other classes."""
        if not isinstance(value, self.classtype):
            raise ValueError(f"Value must be of type {self.classtype}, is {type(value)}")


@dataclass(frozen=True)
class Default:
    """The value to begin with."""

    value: Any


@dataclass(frozen=True)
class Decimals:
    """How many decimals a widget shows."""

    value: int


@dataclass(frozen=True)
class SingleStep:
    """How far a widget moves at once."""

    value: float


@dataclass(frozen=True)
class Label:
    """What a widget is called."""

    value: str


@dataclass(frozen=True)
class RangeBounds:
    """The limits of a range."""

    minimum: float
    maximum: float
