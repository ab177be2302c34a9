"""Turn the settings of a job into flags with help, and what a user typed back into settings."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Annotated, Any, Union, get_type_hints

import tyro

import ContrastiveSegLib
from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.registry import ENGINE
from ContrastiveSegLib.settings.field_help import field_help
from ContrastiveSegLib.settings.job_settings import JOBS
from ContrastiveSegLib.settings.method_catalog import (
    MethodEntry,
    chooser_of,
    complete_options,
    find_method,
    list_methods,
    settings_class,
    without_retired,
)
from ContrastiveSegLib.settings.network_catalog import network_names
from ContrastiveSegLib.settings.recommended import braces
from ContrastiveSegLib.settings.rules import (
    Flag,
    MethodOf,
    NetworkName,
    Positional,
    Range,
    Rule,
    rule_of,
    rules_of,
)
from ContrastiveSegLib.settings.schema import check_fields, current_names, from_dict, is_required, read_jobs

PROGRAM = "python -m ContrastiveSegLib"
_WORDS = {int: "INT", float: "NUMBER", str: "TEXT", Path: "PATH"}
_FOR_EVERY_JOB = (
    (
        "settings",
        Annotated[
            str,
            tyro.conf.arg(
                help="Take what is not given as a flag from a file, such as a run's settings.json.",
                metavar="FILE.json",
                help_behavior_hint="",
            ),
        ],
        "",
    ),
    (
        "verbose",
        Annotated[
            bool,
            tyro.conf.arg(help="Show the traceback of an error.", aliases=["-v"], help_behavior_hint=""),
            tyro.conf.FlagCreatePairsOff,
        ],
        False,
    ),
)


@dataclass(frozen=True)
class Argument:
    """One flag or positional.

    Args:
        key: Where its value goes in the settings: ("grid", "spacing").
        name: Its name in Python, unique among the arguments of a job.
    """

    key: tuple[str, ...]
    name: str
    hint: Any
    default: Any
    help: str


@dataclass(frozen=True)
class Command:
    """What a user asked for."""

    job: str
    settings: Any


def parse_command(words: Sequence[str], *, folder: Path = ENGINE) -> Command:
    """Read the words after `python -m ContrastiveSegLib`.

    Args:
        folder: Where the folders with methods lie.

    Raises:
        SystemExit: Help was asked for (0), or a flag is unknown, missing or not readable (2).
        BadFile, BadSetting: A settings file cannot be read, or a setting is not allowed.
    """
    job = words[0] if words and words[0] in JOBS else ""
    words = _in_current_names(job, words, folder) if job else words
    arguments = _arguments_of(job, words, folder) if job else []
    _refuse_empty_paths(arguments, words)
    forms = {name: _form(name, arguments if name == job else [], folder) for name in JOBS}
    jobs = [
        _marked(form, tyro.conf.subcommand(name, description=_caption(JOBS[name])))
        for name, form in forms.items()
    ]
    any_job: Any = Union[tuple(jobs)]  # noqa: UP007 - `|` takes no tuple
    typed = tyro.cli(any_job, args=list(words), prog=PROGRAM, description=ContrastiveSegLib.__doc__)
    values = {argument.key: getattr(typed, argument.name) for argument in arguments}
    return Command(job, _settings_from(job, values, folder))


def _arguments_of(job: str, words: Sequence[str], folder: Path) -> list[Argument]:
    """The arguments of a job, each with the default from the strongest source below the flags."""
    # 1. The defaults in job_settings.py and in the method's Settings.
    cls = JOBS[job]
    # 2. The file given with --settings.
    file = word_after("--settings", words)
    given = _given_in(Path(file), job) if file else {}
    arguments = _arguments(cls, given, ())
    # 3. The flags, which tyro reads. One of them must be known before: it says which flags there are.
    if "options" in rules_of(cls):
        taken = {*(argument.name for argument in arguments), *current_names(cls)}
        arguments += _method_arguments(cls, given, words, folder, taken=taken)
    return arguments


def _refuse_empty_paths(arguments: Sequence[Argument], words: Sequence[str]) -> None:
    """An empty path would be the current folder: it comes from a variable of the shell that is not set."""
    empty = {word for word, after in itertools.pairwise(words) if not after}
    for name, rule in ((argument.name, rule_of(argument.hint)) for argument in arguments):
        flag = words[0] if rule.marked(Positional) else f"--{name.replace('_', '-')}"
        if rule.kind is Path and (flag in empty or f"{flag}=" in words):
            raise BadSetting(f"The path of '{name}' is empty.", "Name it, or leave it out. '.' means here.")


def _in_current_names(job: str, words: Sequence[str], folder: Path) -> list[str]:
    """Flags under their earlier names, and under the names of the settings, still work."""
    cls = JOBS[job]
    flags = {name: rule.marked(Flag) for name, rule in rules_of(cls).items()}
    words = _renamed(words, current_names(cls) | {name: flag.name for name, flag in flags.items() if flag})
    if "options" not in rules_of(cls):
        return words
    file = word_after("--settings", words)
    entry = _chosen_method(cls, _given_in(Path(file), job) if file else {}, words, folder)
    return _renamed(words, current_names(settings_class(entry))) if entry else words


def _renamed(words: Sequence[str], names: Mapping[str, str]) -> list[str]:
    changed = list(words)
    for old, new in names.items():
        before, now = old.replace("_", "-"), new.replace("_", "-")
        pattern = re.compile(rf"--(no-)?{before}(?==|$)")
        changed = [pattern.sub(rf"--\g<1>{now}", word) for word in changed]
    return changed


def _given_in(path: Path, job: str) -> dict[str, Any]:
    jobs = read_jobs(path)
    if job not in jobs:
        listed = ", ".join(jobs) or "nothing"
        raise BadSetting(f"The settings {path} hold {listed}, but nothing for {job}.", "Choose another file.")
    return check_fields(JOBS[job], jobs[job], source=str(path))


def word_after(flag: str, words: Sequence[str]) -> str:
    """The value of a flag as typed, `--flag value` or `--flag=value`; the last one counts."""
    value = ""
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word == flag:
            value = after
        elif word.startswith(f"{flag}="):
            value = word.partition("=")[2]
    return value


def _arguments(cls: type, given: dict[str, Any], prefix: tuple[str, ...]) -> list[Argument]:
    """The arguments of a settings dataclass, its groups laid out flat."""
    hints, help_of = get_type_hints(cls, include_extras=True), field_help(cls)
    found = []
    for field in dataclasses.fields(cls):
        rule, key = rule_of(hints[field.name]), (*prefix, field.name)
        default = given.get(field.name, _default_of(field))
        if dataclasses.is_dataclass(rule.kind):
            group = {inner.name: getattr(default, inner.name) for inner in dataclasses.fields(default)}
            found += _arguments(rule.kind, group, key)  # type: ignore[arg-type]
        elif rule.kind is not dict:
            found.append(Argument(key, field.name, hints[field.name], default, help_of[field.name]))
    return found


def _method_arguments(
    cls: type, given: dict[str, Any], words: Sequence[str], folder: Path, *, taken: set[str]
) -> list[Argument]:
    """The arguments of the method that was chosen; one whose name is taken carries the method's name."""
    entry = _chosen_method(cls, given, words, folder)
    if entry is None:
        return []
    chooser, _ = chooser_of(cls)
    # A settings file for another method says nothing about this one.
    options = given.get("options", {}) if given.get(chooser, entry.name) == entry.name else {}
    options = check_fields(
        settings_class(entry), without_retired(entry, options), source=word_after("--settings", words)
    )
    return [
        Argument(
            ("options", field.name),
            f"{entry.name}_{field.name}" if field.name in taken else field.name,
            field.hint,
            options.get(field.name, field.default),
            f"{field.help} [{entry.name}]",
        )
        for field in entry.fields
    ]


def _chosen_method(
    cls: type, given: dict[str, Any], words: Sequence[str], folder: Path
) -> MethodEntry | None:
    chooser, kind = chooser_of(cls)
    name = word_after(f"--{chooser}", words) or given.get(chooser) or _default_of(_field(cls, chooser))
    if {"-h", "--help"} & set(words):
        # Help must come even when the name is wrong; the error comes without --help.
        return next((m for m in list_methods(folder) if (m.kind, m.name) == (kind, name)), None)
    return find_method(kind, name, folder)


def _form(job: str, arguments: list[Argument], folder: Path) -> type:
    """The dataclass that tyro turns into a parser: plain hints, and everything it needs to know in `arg`."""
    fields = [(a.name, _spoken(a, folder), dataclasses.field(default=a.default)) for a in arguments]
    fields += [(name, hint, dataclasses.field(default=default)) for name, hint, default in _FOR_EVERY_JOB]
    return dataclasses.make_dataclass(job, fields, frozen=True, kw_only=True)


def _spoken(argument: Argument, folder: Path) -> Any:
    rule = rule_of(argument.hint)
    flag, allowed = rule.marked(Flag), rule.marked(Range)
    is_empty = argument.default is None or argument.default in ("", ())
    argued = tyro.conf.arg(
        name=flag.name.replace("_", "-") if flag else None,
        metavar=_metavar(argument.name, rule, folder),
        help=argument.help + (f" ({allowed})" if allowed else ""),
        # The help itself says what empty means.
        help_behavior_hint="" if is_empty else None,
    )
    return _marked(argument.hint, argued, *([tyro.conf.Positional] if rule.marked(Positional) else []))


def _metavar(name: str, rule: Rule, folder: Path) -> str | None:
    """What stands for the value in the help; None where tyro's own list of choices is better."""
    if mark := rule.marked(MethodOf):
        return braces([m.name for m in list_methods(folder) if m.kind == mark.kind], mark.kind)
    if rule.marked(NetworkName):
        return braces(network_names(), "networks")
    if rule.marked(Positional):
        return name.upper()
    if rule.kind is tuple and rule.items[-1] is ...:
        return f"[{_WORDS[rule_of(rule.items[0]).kind]} ...]"
    if rule.kind is tuple:
        return " ".join(_WORDS[rule_of(item).kind] for item in rule.items)
    return None if rule.choices else _WORDS.get(rule.kind)


def _settings_from(job: str, values: dict[tuple[str, ...], Any], folder: Path) -> Any:
    cls = JOBS[job]
    data: dict[str, Any] = {}
    for key, value in values.items():
        group = data.setdefault(key[0], {}) if len(key) > 1 else data
        group[key[-1]] = value
    if "options" in rules_of(cls):
        chooser, kind = chooser_of(cls)
        data["options"] = complete_options(kind, data[chooser], data.get("options", {}), folder=folder)
    return from_dict(cls, data)


def _marked(hint: Any, *marks: Any) -> Any:
    """The hint with what tyro needs to know about it."""
    return Annotated[(hint, *marks)]


def _default_of(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return tyro.MISSING if is_required(field) else field.default


def _field(cls: type, name: str) -> dataclasses.Field[Any]:
    return next(field for field in dataclasses.fields(cls) if field.name == name)


def _caption(cls: type) -> str:
    return re.sub(r"\s+", " ", (cls.__doc__ or "").partition("\n\n")[0]).strip()
