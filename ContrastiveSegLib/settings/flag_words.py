"""What flags are called outside of a terminal: `--lr` becomes 'learning rate'."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterator

from ContrastiveSegLib.settings.job_settings import JOBS
from ContrastiveSegLib.settings.method_catalog import list_methods
from ContrastiveSegLib.settings.network_catalog import list_networks
from ContrastiveSegLib.settings.rules import Flag, Label, MethodOf, NetworkName, Rule, rule_of, rules_of

_KEY = re.compile(r"setting '([a-z_.]+)'")
_FLAG = re.compile(r"(?<![\w-])--(no-)?([a-z][a-z0-9-]*)((?: [\w]+)?)")


def without_flags(text: str) -> str:
    """The same sentences, with settings named as forms name them instead of by flags or variables."""
    text = _KEY.sub(lambda key: f"setting {_called(key[1].rpartition('.')[2])}", text)
    return _FLAG.sub(_named, text) if "--" in text else text


def _named(found: re.Match[str]) -> str:
    negated, name, value = found[1], found[2].replace("-", "_"), found[3].strip()
    settings = _settings().get(name, ())
    called = _called(name) + (" switched off" if negated else "")
    words = next((words[value] for words in map(_words_of_values, settings) if value in words), "")
    return f'{called} "{words}"' if words else called + found[3]


def _called(name: str) -> str:
    labels = (rule.marked(Label) for rule in _settings().get(name, ()))
    return f"'{next((label.text for label in labels if label), name.replace('_', ' '))}'"


def _words_of_values(rule: Rule) -> dict[str, str]:
    """What menus call the values of a setting."""
    if method := rule.marked(MethodOf):
        entries = [entry for entry in list_methods() if entry.kind == method.kind]
        return {entry.name: entry.title for entry in entries}
    if rule.marked(NetworkName):
        return {entry.name: entry.title for entry in list_networks()}
    label = rule.marked(Label)
    words = label.choices if label and label.choices else tuple(map(str, rule.choices))
    return dict(zip(map(str, rule.choices), words, strict=True))


@functools.cache
def _settings() -> dict[str, tuple[Rule, ...]]:
    """The rules of all settings that share a flag."""
    found: dict[str, tuple[Rule, ...]] = {}
    for name, rule in _all_settings():
        flag = rule.marked(Flag)
        name = flag.name if flag else name
        found[name] = (*found.get(name, ()), rule)
    return found


def _all_settings() -> Iterator[tuple[str, Rule]]:
    for cls in JOBS.values():
        yield from _of_class(cls)
    for entry in list_methods():
        yield from ((field.name, rule_of(field.hint)) for field in entry.fields)


def _of_class(cls: type) -> Iterator[tuple[str, Rule]]:
    for name, rule in rules_of(cls).items():
        if dataclasses.is_dataclass(rule.kind):
            yield from _of_class(rule.kind)  # type: ignore[arg-type]
        elif rule.kind is not dict:
            yield name, rule
