"""The fields of a settings form: from a method's file or a job's dataclass, in one shape."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from ContrastiveSegLib.settings.field_help import field_help
from ContrastiveSegLib.settings.rules import Label, MethodOf, Range, rule_of, rules_of
from ContrastiveSegLib.settings.schema import is_required


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
    def label(self):
        """The field's words and unit, or None."""
        return self.rule.marked(Label)

    @property
    def caption(self) -> str:
        """The name for people."""
        return str(self.label or self.key[-1].replace("_", " "))

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


def furtherFields(cls, without) -> list:
    """All settings of a job that have a default and a form can hold, but those named."""
    names = []
    for field in dataclasses.fields(cls):
        rule = rules_of(cls)[field.name]
        if dataclasses.is_dataclass(rule.kind):
            names += [f"{field.name}.{inner.name}" for inner in dataclasses.fields(rule.kind)]
        elif rule.kind is not dict and not rule.marked(MethodOf) and not is_required(field):
            names.append(field.name)
    return fieldsOfJob(cls, [name for name in names if name not in without])


def _fieldOfJob(cls, key):
    owner = cls
    for group in key[:-1]:
        owner = rules_of(owner)[group].kind
    field = next(f for f in dataclasses.fields(owner) if f.name == key[-1])
    default = None if field.default is dataclasses.MISSING else field.default
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    return FormField(key, default, field_help(owner).get(key[-1], ""), rules_of(owner)[key[-1]])
