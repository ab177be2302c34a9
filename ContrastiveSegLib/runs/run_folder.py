"""The paths inside a run folder, and what a job reads and writes there."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ContrastiveSegLib.disk import cannot_write
from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.program_identity import SUMMARY, UNCERTAINTY
from ContrastiveSegLib.runs import run_names
from ContrastiveSegLib.runs.atomic_write import make_folder, write_atomically, write_json
from ContrastiveSegLib.runs.file_lock import held_locks, hold
from ContrastiveSegLib.runs.model_folder import ModelFolder
from ContrastiveSegLib.runs.run_marker import claim, is_run
from ContrastiveSegLib.runs.saved_settings import saved_jobs, saved_settings
from ContrastiveSegLib.settings.method_catalog import with_all_options
from ContrastiveSegLib.settings.rules import rules_of
from ContrastiveSegLib.settings.schema import differences, to_dict, validate

__all__ = ["ModelFolder", "RunFolder", "write_atomically"]

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class RunFolder:
    """What was asked, what happened, what came out: everything a run is, in one folder."""

    path: Path

    @property
    def settings(self) -> Path:
        """What was asked: written before the first step, never edited after."""
        return self.path / run_names.SETTINGS

    @property
    def events(self) -> Path:
        """Progress, loss terms, warnings, results, end; append only."""
        return self.path / run_names.EVENTS

    @property
    def log(self) -> Path:
        """The same for people, with tracebacks."""
        return self.path / run_names.LOG

    @property
    def cancel_request(self) -> Path:
        """Appears when the user presses Cancel; the job saves and leaves."""
        return self.path / run_names.CANCEL_REQUEST

    @property
    def lock_file(self) -> Path:
        """Who is working here: process and computer."""
        return self.path / run_names.LOCK

    @property
    def prepared(self) -> Path:
        """Working grid and regions; may be deleted at any time."""
        return self.path / run_names.PREPARED

    @property
    def pretrain(self) -> Path:
        """What pre-training leaves behind, a ModelFolder."""
        return self.path / run_names.PRETRAIN

    def finetune(self, round_number: int) -> Path:
        """What a round of fine-tuning leaves behind, a ModelFolder; rounds count from 1."""
        return self.path / run_names.FINETUNE / f"{round_number:02d}"

    def settings_of(self, round_number: int) -> Path:
        """What a round of fine-tuning was asked; 0 for the run itself."""
        return ModelFolder(self.finetune(round_number)).settings if round_number else self.settings

    def cases_of(self, model: ModelFolder) -> Path:
        """What a training saw; runs of version 0.1 have one table, of the last job."""
        return model.cases if model.cases.is_file() else ModelFolder(self.path).cases

    def show_newest(self, model: ModelFolder) -> None:
        """Copy what a training saw to the top of the run folder, where people and scripts look first."""
        for file in (model.cases, model.labels, model.environment):
            if file.is_file():
                write_atomically(self.path / file.name, file.read_bytes())

    @property
    def labels(self) -> Path:
        """The label table of the last round of fine-tuning; runs of version 0.1 have one for all."""
        models = (ModelFolder(self.finetune(number)) for number in reversed(self.finetune_rounds()))
        return next((m.labels for m in models if m.labels.is_file()), ModelFolder(self.path).labels)

    @property
    def predictions(self) -> Path:
        """Where predictions go unless asked otherwise."""
        return self.path / run_names.PREDICTIONS

    @property
    def refined(self) -> Path:
        """Where refined predictions go unless asked otherwise."""
        return self.path / f"{run_names.PREDICTIONS}{run_names.REFINED}"

    def prediction(self, case: str, *, suffix: str = "seg.nrrd", folder: Path | None = None) -> Path:
        """The predicted labels of a case, in `folder` if another one than `predictions` was asked for."""
        return (folder or self.predictions) / f"{case}.{suffix}"

    def uncertainty(self, case: str, *, suffix: str = "nrrd", folder: Path | None = None) -> Path:
        """The map of uncertainty beside a prediction."""
        return (folder or self.predictions) / f"{case}{UNCERTAINTY}.{suffix}"

    def suggestions(self, *, suffix: str = "csv", folder: Path | None = None) -> Path:
        """What to annotate next: table (csv, json) and picture (png), in `folder` if one was asked for."""
        return (folder or self.path) / f"suggestions.{suffix}"

    def case_results(self, job: str, *, folder: Path | None = None) -> Path:
        """What became of every case in a job that has its own results, in the folder of these."""
        return (folder or self.path) / f"{job}_cases.csv"

    def summary(self, *, suffix: str = "csv", folder: Path | None = None) -> Path:
        """The report on predictions (csv, json), in the folder of these."""
        return (folder or self.predictions) / f"{SUMMARY}.{suffix}"

    @property
    def annotations(self) -> Path:
        """The cases annotated for this run: images and labels, laid out like any folder of labeled cases."""
        return self.path / run_names.ANNOTATIONS

    @property
    def panel(self) -> Path:
        """What the panel in 3D Slicer keeps here: orders, the process that carries one out, its output."""
        return self.path / run_names.PANEL

    @property
    def exists(self) -> bool:
        """Whether this folder is a run."""
        return is_run(self.path)

    def create(self) -> None:
        """Create the folder and mark it as a run; one that exists is fine.

        Raises:
            BadFolder: It holds other things under names that a run would overwrite, or is of a later version.
            CannotWrite: Read-only, no permission, or a file is in the way.
        """
        make_folder(self.path)
        claim(self.path)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other jobs out inside the `with` block; a request to cancel an earlier job is dropped first.

        Raises:
            RunInUse: Another job is working here; names its process id.
            CannotWrite: The folder does not exist or cannot be written.
        """
        with hold(self.lock_file):
            self.clear_cancel()
            yield

    @classmethod
    def held(cls) -> tuple[RunFolder, ...]:
        """The run folders that this process is working in."""
        runs = (cls(path.parent) for path in held_locks())
        return tuple(run for run in runs if run.lock_file.resolve() in held_locks())

    def request_cancel(self) -> None:
        """Ask the job that works here to save and leave."""
        write_atomically(self.cancel_request, "")

    def cancel_requested(self) -> bool:
        """Whether somebody asked the job to save and leave."""
        return self.cancel_request.exists()

    def clear_cancel(self) -> None:
        """Forget a request to cancel; none is fine."""
        try:
            self.cancel_request.unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(self.cancel_request, error) from error

    def begin(self, job: str, settings: Any, *, replace: bool = False) -> bool:
        """Write down what was asked, before the first step; True if the same was asked before.

        Settings marked `MayChange`, such as the device, may differ from those written down.

        Args:
            replace: Nothing was learned yet, so other settings take the place of those written down.

        Raises:
            BadSetting: Something else was asked before; names the settings that differ.
            BadCheckpoint: The settings written down are damaged.
            CannotWrite: The run folder cannot be written.
        """
        settings = with_all_options(validate(settings))
        jobs = saved_jobs(self.settings) if self.settings.exists() else {}
        if job in jobs:
            changed = self._differences(job, settings)
            if not changed:
                return True
            if not replace:
                raise self._other_settings(changed)
            jobs.get("decided", {}).pop(job, None)
        write_json(self.settings, {**jobs, job: _without_run(settings)})
        return False

    def decide(
        self, job: str, make: Callable[[], dict[str, Any]], *, round_number: int = 0
    ) -> dict[str, Any]:
        """What a job leaves to the data and the machine: decided at its first start, then kept for resuming.

        Args:
            make: Called once; its plain values are written beside what was asked, under "decided".
            round_number: The round of fine-tuning; 0 for the run itself.
        """
        path = self.settings_of(round_number)
        jobs = saved_jobs(path, of_round=round_number > 0)
        decided = jobs.get("decided", {})
        if job not in decided:
            decided[job] = make()
            write_json(path, {**jobs, "decided": decided})
        kept: dict[str, Any] = json.loads(json.dumps(decided[job]))
        return kept

    def begin_finetune(self, settings: Any, *, data: str = "") -> tuple[int, bool]:
        """The round of fine-tuning for these settings, and whether it was asked for before.

        A round that was asked for with the same settings and data is taken up again; anything else begins a
        new round, so that a finished model is never overwritten.

        Args:
            data: Identity of the labeled cases, for example a checksum: more labels make a new round.

        Raises:
            BadCheckpoint: The settings of an earlier round are damaged.
            CannotWrite: The run folder cannot be written.
        """
        settings = with_all_options(validate(settings))
        for number in reversed(self.finetune_rounds()):
            if not self._differences("finetune", settings, number) and self._round_data(number) == data:
                return number, True
        number = max((*self.finetune_rounds(), *self.finetune_rounds(finished=True)), default=0) + 1
        make_folder(self.finetune(number))
        content = {"finetune": _without_run(settings), "data": {"identity": data}}
        write_json(ModelFolder(self.finetune(number)).settings, content)
        return number, False

    def finetune_rounds(self, *, finished: bool = False) -> tuple[int, ...]:
        """The rounds of fine-tuning that were begun, or those that came to their end; ascending."""
        folders = (self.path / "finetune").glob("[0-9]*")
        numbers = sorted(int(folder.name) for folder in folders if folder.name.isdigit())
        models = [(number, ModelFolder(self.finetune(number))) for number in numbers]
        return tuple(
            n for n, model in models if (model.is_finished if finished else model.settings.is_file())
        )

    def read_settings(self, job: str, cls: type[Settings], *, round_number: int = 0) -> Settings:
        """What a job, or a round of fine-tuning, was asked.

        Raises:
            BadFile, BadSetting: There is no such file, or it does not hold what the job needs.
            BadCheckpoint: It is damaged.
        """
        known = {"run": self.path} if "run" in rules_of(cls) else {}
        return saved_settings(self.settings_of(round_number), job, cls, of_round=round_number > 0, **known)

    def _differences(self, job: str, settings: Any, round_number: int = 0) -> dict[str, tuple[Any, Any]]:
        """What was asked otherwise before; options that a method got since then had their defaults."""
        before = self.read_settings(job, type(settings), round_number=round_number)
        # An option that the method no longer has: differs in any case.
        with contextlib.suppress(BadSetting):
            before = with_all_options(before)
        return differences(before, settings)

    def _round_data(self, number: int) -> str:
        written = saved_jobs(self.settings_of(number), of_round=True)
        return str(written.get("data", {}).get("identity", ""))

    def _other_settings(self, changed: dict[str, tuple[Any, Any]]) -> BadSetting:
        listed = ", ".join(f"{key} (was {old!r}, now {new!r})" for key, (old, new) in changed.items())
        what = f"The run {self.path} was started with other settings: {listed}."
        return BadSetting(what, "Start it with the same settings to resume, or choose a new run folder.")


def _without_run(settings: Any) -> dict[str, Any]:
    """Plain values; the folder itself is left out, because a run may be moved or handed on."""
    return {key: value for key, value in to_dict(settings).items() if key != "run"}
