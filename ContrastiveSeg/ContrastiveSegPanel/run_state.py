"""What a run folder holds at this moment, as the steps need to know it."""

import datetime
from dataclasses import dataclass, field
from pathlib import Path

from ContrastiveSegLib.errors import ContrastiveSegError
from ContrastiveSegLib.runs.case_files import cases_in
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from ContrastiveSegLib.settings.schema import read_jobs
from ContrastiveSegLib.slicer_bridge.annotation_files import Counts, count


@dataclass(frozen=True)
class RunState:
    """A look at the folder; cheap enough to be taken after every job and click.

    Args:
        run: None while no folder is chosen.
        interruptedRound: Of fine-tuning; 0 if none.
        asked: What settings.json says, {} without one.
        damaged: Why the folder cannot be used, or "".
    """

    run: object = None
    asked: dict = field(default_factory=dict)
    isPretrained: bool = False
    canResumePretraining: bool = False
    finishedRounds: tuple = ()
    interruptedRound: int = 0
    predicted: tuple = ()
    annotated: Counts = field(default_factory=Counts)
    damaged: str = ""

    @property
    def canResumeFinetuning(self) -> bool:
        """Whether a round was interrupted after its first checkpoint."""
        return self.interruptedRound > 0


def look(run) -> RunState:
    """Read the state of a run folder; one that is not there yet is empty."""
    if run is None:
        return RunState()
    model = ModelFolder(run.pretrain)
    asked, damaged = _asked(run)
    return RunState(
        run=run,
        asked=asked,
        isPretrained=model.is_finished and model.weights.is_file(),
        canResumePretraining=model.can_resume,
        finishedRounds=run.finetune_rounds(finished=True),
        interruptedRound=_interrupted(run),
        predicted=cases_in(run.predictions),
        annotated=count(run),
        damaged=damaged,
    )


def _interrupted(run) -> int:
    """The last round of fine-tuning that can be taken up again; 0 if there is none."""
    return max((n for n in run.finetune_rounds() if ModelFolder(run.finetune(n)).can_resume), default=0)


def _asked(run):
    if not run.settings.is_file():
        return {}, ""
    try:
        return read_jobs(run.settings), ""
    except ContrastiveSegError as error:
        return {}, str(error)


def runFolder(text: str):
    """The run folder of a path in the panel; None for an empty one."""
    return RunFolder(Path(text)) if text else None


def proposed(runs: Path, data: Path) -> str:
    """A place for a new run: in the user's documents, named after the day and the data."""
    return str(runs / freeName(runs, f"{datetime.date.today().isoformat()}_{data.name}"))


def freeName(folder: Path, name: str) -> str:
    """This name, or with a number behind it if there is something of this name already."""
    free, number = name, 2
    while (folder / free).exists():
        free, number = f"{name}_{number}", number + 1
    return free
