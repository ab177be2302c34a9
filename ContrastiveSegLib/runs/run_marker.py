"""Which folder is a run: its marker says so, or, in runs of version 0.1, what it holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ContrastiveSegLib.errors import BadFolder
from ContrastiveSegLib.program_identity import PROGRAM, RUN_FORMAT, RUN_MARKER, run_format
from ContrastiveSegLib.runs import run_names
from ContrastiveSegLib.runs.atomic_write import write_json
from ContrastiveSegLib.settings.job_settings import JOBS
from ContrastiveSegLib.settings.rules import rules_of
from ContrastiveSegLib.settings.schema import is_required

# What a run writes at its top without asking: where these are somebody else's, no run may begin.
WRITTEN_AT_THE_TOP = (
    RUN_MARKER,
    run_names.SETTINGS,
    run_names.EVENTS,
    run_names.LOG,
    run_names.PRETRAIN,
    run_names.FINETUNE,
    run_names.PREPARED,
    # In version 0.1. These names are known as the program's, and would be deleted with the run.
    run_names.ENVIRONMENT,
    run_names.CASES,
    run_names.LABELS,
)
OF_A_MODEL = {"format", "network", "arguments", "parts", "sha256"}


def is_run(folder: Path) -> bool:
    """Whether a folder is a run of this program, of whatever version."""
    return run_format(folder) is not None or _is_unmarked_run(folder)


def claim(folder: Path) -> None:
    """Mark a folder as a run; one that is a run already stays as it is, and gets the marker if it had none.

    Raises:
        BadFolder: It holds something else under the names that a run writes, or is of a later version.
        CannotWrite: The marker cannot be written.
    """
    found = run_format(folder)
    if found is not None and found > RUN_FORMAT:
        raise BadFolder(
            f"The run folder {folder} has format version {found}, this program knows versions up to "
            f"{RUN_FORMAT}.",
            "Use the version of ContrastiveSeg that made it.",
        )
    if found is not None:
        return
    taken = [name for name in WRITTEN_AT_THE_TOP if (folder / name).exists()]
    if taken and not _is_unmarked_run(folder):
        raise BadFolder(
            f"{folder} is no run folder, but holds {', '.join(taken)}, where a run would write.",
            "Choose a new folder for the run.",
        )
    write_json(folder / RUN_MARKER, {"program": PROGRAM, "run_format": RUN_FORMAT})


def _is_unmarked_run(folder: Path) -> bool:
    """Whether a folder holds what version 0.1 wrote: settings of our jobs, a model, or events."""
    return (
        any(_is_settings(path) for path in _settings_files(folder))
        or any(_read(path).keys() >= OF_A_MODEL for path in _model_cards(folder))
        or _is_of_events(folder / run_names.EVENTS)
    )


def _settings_files(folder: Path) -> Iterator[Path]:
    yield folder / run_names.SETTINGS
    yield from sorted(folder.glob(f"{run_names.FINETUNE}/[0-9]*/{run_names.SETTINGS}"))


def _model_cards(folder: Path) -> Iterator[Path]:
    yield folder / run_names.PRETRAIN / run_names.MODEL_CARD
    yield from sorted(folder.glob(f"{run_names.FINETUNE}/[0-9]*/{run_names.MODEL_CARD}"))


def _is_settings(path: Path) -> bool:
    """Whether a settings.json holds settings that one of our jobs requires."""
    return any(job in JOBS and _names_all(job, asked) for job, asked in _read(path).items())


def _names_all(job: str, asked: Any) -> bool:
    cls = JOBS[job]
    needed = {name for name in _required(cls) if name != "run"}
    return isinstance(asked, dict) and bool(needed) and needed <= asked.keys() <= rules_of(cls).keys()


def _required(cls: type) -> set[str]:
    return {name for name, field in cls.__dataclass_fields__.items() if is_required(field)}  # type: ignore[attr-defined]


def _is_of_events(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            first = json.loads(file.readline(10_000))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(first, dict) and {"time", "kind"} <= first.keys() and first.get("job") in JOBS


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
