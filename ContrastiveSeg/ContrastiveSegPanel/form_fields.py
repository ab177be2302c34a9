"""The fields of a settings form: from a method's file or a job's dataclass, in one shape."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from ContrastiveSegLib.runs.field_help import field_help
from ContrastiveSegLib.runs.rules import MethodOf, Range, rule_of, rules_of


@dataclass(frozen=True)
class FormField:
    """One row of a form.

    Args:
        key: Where the value goes: ("lr",), ("grid", "spacing") or ("options", "temperature").
        rule: What is allowed.
    """

    key: tuple
    default: Any
    help: str
    rule: Any

    @property
    def caption(self) -> str:
        """The name for people."""
        return self.key[-1].replace("_", " ")

    @property
    def bounds(self):
        """Lowest and highest number, or None."""
        allowed = self.rule.marked(Range)
        return (allowed.low, allowed.high) if allowed else None


def fieldsOfMethod(entry) -> list:
    """The method's own settings, as the catalog read them."""
    return [FormField(("options", f.name), f.default, f.help, rule_of(f.hint)) for f in entry.fields]


def fieldsOfJob(cls, names) -> list:
    """Some settings of a job; a dotted name leads into a group: "grid.spacing"."""
    return [_fieldOfJob(cls, tuple(name.split("."))) for name in names]


def _fieldOfJob(cls, key):
    owner = cls
    for group in key[:-1]:
        owner = rules_of(owner)[group].kind
    field = next(f for f in dataclasses.fields(owner) if f.name == key[-1])
    default = field.default_factory() if field.default is dataclasses.MISSING else field.default
    return FormField(key, default, field_help(owner).get(key[-1], ""), rules_of(owner)[key[-1]])


def methodsOf(cls) -> str:
    """The folder of the methods that a job's settings choose from."""
    marks = [rule.marked(MethodOf) for rule in rules_of(cls).values()]
    return next(mark.kind for mark in marks if mark)
