"""Tables for the documents, read from the code: what each setting means, and what there is to choose from."""

from __future__ import annotations

import ast
import dataclasses
import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ContrastiveSegLib.settings.field_help import field_help
from ContrastiveSegLib.settings.job_settings import JOBS
from ContrastiveSegLib.settings.method_catalog import ENGINE, MethodEntry, list_methods
from ContrastiveSegLib.settings.model_catalog import list_models
from ContrastiveSegLib.settings.network_catalog import list_networks
from ContrastiveSegLib.settings.rules import Flag, Label, MethodOf, Positional, Rule, rule_of, rules_of
from ContrastiveSegLib.settings.schema import is_required

# The folder of the documents about each kind of method, and about jobs.
PAGES = {"pretraining": "methods", "finetuning": "strategies", "jobs": "jobs"}


@dataclasses.dataclass(frozen=True)
class Row:
    """One setting as the documents show it."""

    flag: str
    values: str
    default: str
    help: str


@functools.cache
def job_rows(job: str) -> list[Row]:
    """Every setting of a job, its groups laid out flat, in the order of its help."""
    return list(_rows(JOBS[job]))


def method_rows(kind: str, name: str) -> list[Row]:
    """Every setting of a method; a name that the job uses already gets the name of the method in front."""
    (entry,) = (entry for entry in _methods() if (entry.kind, entry.name) == (kind, name))
    taken = {row.flag for row in job_rows("pretrain" if kind == "pretraining" else "finetune")}
    return [_method_row(entry, field, taken) for field in entry.fields]


def table(rows: Sequence[Row]) -> str:
    """The rows as a table in Markdown."""
    if not rows:
        return "*No settings of its own.*\n"
    lines = ["| setting | values | default | meaning |", "|---|---|---|---|"]
    lines += [f"| `{row.flag}` | {row.values} | {row.default} | {_escaped(row.help)} |" for row in rows]
    return "\n".join(lines) + "\n"


def list_of(what: str) -> str:
    """A table of all jobs, methods, strategies, networks or promptable models."""
    makers = {
        "jobs": lambda: ((f"[`{job}`]({job}.md)", _caption(cls)) for job, cls in JOBS.items()),
        "methods": lambda: _linked("pretraining"),
        "strategies": lambda: _linked("finetuning"),
        "networks": lambda: ((f"`{n.name}`", n.caption) for n in list_networks()),
        "models": lambda: ((f"`{m.name}`", f"{m.caption} License: {m.license}.") for m in list_models()),
    }
    lines = [f"| {first} | {_escaped(second)} |" for first, second in makers[what]()]
    return "\n".join(["| name | what it does |", "|---|---|", *lines]) + "\n"


def generated_page(kind: str, name: str) -> str:
    """A page for a method or job without a written one: the docstring of its file, and its settings."""
    path = ENGINE / kind / f"{name}.py"
    described = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    what = {"pretraining": "method", "finetuning": "strategy", "jobs": "job"}[kind]
    return f"# {name}\n\n{described}\n\n## Settings\n\n<!-- settings: {what} {name} -->\n"


@functools.cache
def _methods() -> tuple[MethodEntry, ...]:
    return list_methods()


def _linked(kind: str) -> Iterator[tuple[str, str]]:
    for entry in _methods():
        if entry.kind == kind:
            yield f"[`{entry.name}`]({entry.name}.md)", entry.caption


def _rows(cls: type) -> Iterator[Row]:
    help_of, fields = field_help(cls), {field.name: field for field in dataclasses.fields(cls)}
    for name, rule in rules_of(cls).items():
        if dataclasses.is_dataclass(rule.kind):
            yield from _rows(rule.kind)  # type: ignore[arg-type]
        elif rule.kind is not dict:
            default = "required" if is_required(fields[name]) else _shown(fields[name].default)
            yield Row(_flag(name, rule), _values(rule), default, _meaning(rule, help_of[name]))


def _method_row(entry: MethodEntry, field: Any, taken: set[str]) -> Row:
    rule = rules_of(dataclasses.make_dataclass("one", [(field.name, field.hint)]))[field.name]
    flag = _flag(field.name, rule)
    if flag in taken:
        flag = _flag(f"{entry.name}_{field.name}", rule)
    return Row(flag, _values(rule), _shown(field.default), _meaning(rule, field.help))


def _meaning(rule: Rule, help_text: str) -> str:
    """What the panel calls the setting, and its help."""
    label = rule.marked(Label)
    return f"*{label}*: {help_text}" if label else help_text


def _flag(name: str, rule: Rule) -> str:
    if rule.marked(Positional):
        return name.upper()
    flag = rule.marked(Flag)
    dashed = (flag.name if flag else name).replace("_", "-")
    return f"--{dashed}` `--no-{dashed}" if rule.kind is bool else f"--{dashed}"


def _values(rule: Rule) -> str:
    if mark := rule.marked(MethodOf):
        return f"[a name]({'../' + PAGES[mark.kind]}/index.md)"
    if rule.choices:
        return ", ".join(f"`{choice}`" for choice in rule.choices)
    if rule.kind is bool:
        return "yes or no"
    if rule.kind is tuple:
        several = "one or more" if rule.items[-1] is ... else f"{len(rule.items)}"
        return f"{several} values, each {_one_value(rule_of(rule.items[0]))}"
    return _one_value(rule)


def _one_value(rule: Rule) -> str:
    return rule.words.removesuffix(", or empty")


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return "yes" if default else "no"
    return "" if default in (None, "", ()) else f"`{default}`"


def _caption(cls: type) -> str:
    return " ".join((cls.__doc__ or "").partition("\n\n")[0].split())


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def pages_of(kind: str) -> Iterable[str]:
    """The names of the methods of a kind, or of all jobs."""
    if kind == "jobs":
        return list(JOBS)
    return [entry.name for entry in _methods() if entry.kind == kind]
