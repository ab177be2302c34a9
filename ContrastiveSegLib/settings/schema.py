"""Check settings against the dataclass that declares them, and turn them into plain JSON values and back."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from ContrastiveSegLib.errors import BadFile, BadSetting
from ContrastiveSegLib.registry import unknown_name
from ContrastiveSegLib.settings.rules import Formerly, MayChange, Pattern, Range, Rule, rule_of, rules_of

# Range lives in rules.py with the other words that settings are declared with; methods find it here.
__all__ = [
    "Range",
    "check_fields",
    "current_names",
    "differences",
    "from_dict",
    "is_required",
    "read_jobs",
    "read_settings",
    "to_dict",
    "validate",
    "with_current_names",
]

Settings = TypeVar("Settings")


def from_dict(cls: type[Settings], data: Mapping[str, Any], *, source: str = "") -> Settings:
    """Build settings from plain JSON values; what `data` does not name keeps its default.

    Args:
        source: Where the values come from, for the error: a file name.

    Raises:
        BadSetting: An unknown key, a wrong type, a value out of range, or a required setting that is missing.
    """
    return _from_dict(cls, data, source=source, prefix="")


def check_fields(cls: type, data: Mapping[str, Any], *, source: str = "", prefix: str = "") -> dict[str, Any]:
    """Check the fields that `data` names, and return their values as the dataclass wants them.

    Raises:
        BadSetting: As `from_dict`, except that required settings may be missing.
    """
    rules = rules_of(cls)
    if not isinstance(data, Mapping):
        raise _refused(prefix.rstrip("."), data, Rule(kind=dict), source)
    data = with_current_names(cls, data)
    for key in data:
        if key not in rules:
            raise unknown_name(
                "setting", f"{prefix}{key}", [f"{prefix}{name}" for name in rules], source=source
            )
    return {key: _checked(value, rules[key], f"{prefix}{key}", source) for key, value in data.items()}


def current_names(cls: type) -> dict[str, str]:
    """Earlier names of settings, and what they are called now."""
    marks = {name: rule.marked(Formerly) for name, rule in rules_of(cls).items()}
    return {mark.name: name for name, mark in marks.items() if mark}


def with_current_names(cls: type, data: Mapping[str, Any]) -> dict[str, Any]:
    """The same values, those with an earlier name under the name that they have now."""
    today = current_names(cls)
    return {today.get(key, key): value for key, value in data.items()}


def validate(settings: Settings) -> Settings:
    """Check settings that were built in Python as strictly as those read from a file.

    Raises:
        BadSetting: As `from_dict`.
    """
    return from_dict(type(settings), _values(settings))


def to_dict(settings: Any) -> dict[str, Any]:
    """Plain JSON values of settings. Paths become absolute, so that they mean the same from every folder."""
    return {name: _plain(value) for name, value in _values(settings).items()}


def is_required(field: dataclasses.Field[Any]) -> bool:
    """Whether a field of a dataclass has no default."""
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def differences(before: Any, now: Any) -> dict[str, tuple[Any, Any]]:
    """The settings that differ between two objects of one class: dotted name, then both plain values.

    Settings marked `MayChange` are not compared, and two paths to one place are the same.
    """
    found: dict[str, tuple[Any, Any]] = {}
    for name, rule in rules_of(type(before)).items():
        old, new = getattr(before, name), getattr(now, name)
        if rule.marked(MayChange):
            continue
        if dataclasses.is_dataclass(rule.kind):
            found |= {f"{name}.{inner}": pair for inner, pair in differences(old, new).items()}
        elif rule.kind is dict:
            old, new = _plain(old), _plain(new)
            keys = [*old, *(key for key in new if key not in old)]
            found |= {f"{name}.{k}": (old.get(k), new.get(k)) for k in keys if old.get(k) != new.get(k)}
        elif _compared(old) != _compared(new):
            found[name] = (_plain(old), _plain(new))
    return found


def read_jobs(path: Path) -> dict[str, Any]:
    """What a settings.json holds: one object per job, unchecked.

    Raises:
        BadFile: The file cannot be read, or it is not JSON.
    """
    try:
        jobs = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFile(f"The settings {path} cannot be read: {error.strerror}.", "Check the path.") from error
    except (ValueError, RecursionError) as error:
        what = f"The settings {path} are not readable as JSON: {error}."
        raise BadFile(what, "Correct the file, or leave it out and give the settings as flags.") from error
    if not isinstance(jobs, dict) or not all(isinstance(job, dict) for job in jobs.values()):
        remedy = 'Write for example {"pretrain": {"method": "pcl"}}.'
        raise BadSetting(f"The settings {path} do not hold one object per job.", remedy)
    return jobs


def read_settings(path: Path, job: str, cls: type[Settings], **known: Any) -> Settings:
    """Read the settings of one job from a settings.json.

    Args:
        known: Settings that the file need not hold, because the caller knows them.

    Raises:
        BadFile: The file cannot be read.
        BadSetting: The file holds nothing for this job, or something that is not allowed.
    """
    jobs = read_jobs(path)
    if job not in jobs:
        raise unknown_name("job", job, jobs, source=str(path))
    return from_dict(cls, {**jobs[job], **known}, source=str(path))


def _from_dict(cls: type[Settings], data: Mapping[str, Any], *, source: str, prefix: str) -> Settings:
    values = check_fields(cls, data, source=source, prefix=prefix)
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        if field.name not in values and is_required(field):
            what = f"The setting '{prefix}{field.name}' is missing{_in(source)}."
            raise BadSetting(what, "Add it, and start again.")
    return cls(**values)


def _checked(value: Any, rule: Rule, key: str, source: str) -> Any:
    """The value as the rule wants it, or BadSetting."""
    if value is None and rule.optional:
        return None
    if dataclasses.is_dataclass(rule.kind):
        data = _values(value) if _is_settings(value) else value
        return _from_dict(rule.kind, data, source=source, prefix=f"{key}.")  # type: ignore[arg-type]
    if rule.kind is tuple:
        return _checked_items(value, rule, key, source)
    value = _converted(value, rule)
    if value is None or not _is_allowed(value, rule):
        raise _refused(key, value, rule, source)
    return value


def _checked_items(value: Any, rule: Rule, key: str, source: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise _refused(key, value, rule, source)
    hints = rule.items[:1] * len(value) if rule.items[-1] is ... else rule.items
    if len(hints) != len(value):
        raise _refused(key, value, rule, source)
    items = [_checked(item, rule_of(hint), key, source) for item, hint in zip(value, hints, strict=True)]
    return tuple(items)


def _converted(value: Any, rule: Rule) -> Any:
    """What JSON cannot tell apart: a float written without a point, a path written as text."""
    if rule.kind is float and isinstance(value, int) and not isinstance(value, bool):
        # A whole number may be greater than any float; as it stands it is then refused.
        with contextlib.suppress(OverflowError):
            return float(value)
    if rule.kind is Path and isinstance(value, str) and value:
        return Path(value)
    return value


def _is_allowed(value: Any, rule: Rule) -> bool:
    # bool is a subclass of int in Python; true is nevertheless not a number of epochs.
    if not isinstance(value, rule.kind) or (isinstance(value, bool) and rule.kind is not bool):
        return False
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if rule.choices and value not in rule.choices:
        return False
    allowed, pattern = rule.marked(Range), rule.marked(Pattern)
    if allowed is not None and not allowed.low <= value <= allowed.high:
        return False
    return pattern is None or re.fullmatch(pattern.expression, value) is not None


def _refused(key: str, value: Any, rule: Rule, source: str) -> BadSetting:
    shown = "empty" if value is None else repr(str(value) if isinstance(value, Path) else value)
    close = difflib.get_close_matches(str(value), [str(choice) for choice in rule.choices], n=1)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    what = f"The setting {key!r}{_in(source)} is {shown}; allowed is {rule.words}.{guess}"
    return BadSetting(what, "Change it, and start again.")


def _plain(value: Any) -> Any:
    if _is_settings(value):
        return to_dict(value)
    if isinstance(value, Path):
        return str(value.absolute())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _compared(value: Any) -> Any:
    return value.resolve() if isinstance(value, Path) else _plain(value)


def _values(settings: Any) -> dict[str, Any]:
    return {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}


def _is_settings(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _in(source: str) -> str:
    return f" in {source}" if source else ""
