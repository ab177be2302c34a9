"""Every error a user can meet: what happened, with which value, what to do next.

ContrastiveSegError
├── BadFile         a file cannot be read, or what it holds cannot be used
├── BadFolder       a folder does not hold what the job needs
├── BadSetting      a setting is unknown, or its value is out of range
├── BadCheckpoint   weights of another version, of another network, or damaged
├── RunInUse        another job is working in the run folder
├── Cancelled       the user asked the job to stop; everything was saved
├── TooLarge        even the smallest batch does not fit into memory
├── Diverged        the loss is no longer a number
├── ProcessLost     another process of the same job has failed
└── CannotWrite     a result cannot be written where it was asked to go
"""

from __future__ import annotations


class ContrastiveSegError(Exception):
    """One paragraph for a clinician: what happened, to which file, and what to do next.

    Args:
        what: What happened, naming the file or value; got and expected.
        remedy: What to do next, as an imperative sentence.
    """

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what} {remedy}")
        self.what = what
        self.remedy = remedy


class BadFile(ContrastiveSegError):
    """A file cannot be read, or what it holds cannot be used."""


class BadFolder(ContrastiveSegError):
    """A folder does not hold what the job needs."""


class BadSetting(ContrastiveSegError):
    """A setting is unknown, or its value is out of range."""


class BadCheckpoint(ContrastiveSegError):
    """Weights of another format version, of another network, or damaged."""


class RunInUse(ContrastiveSegError):
    """Another job is working in the run folder."""


class Cancelled(ContrastiveSegError):
    """The user asked the job to stop; everything was saved."""


class TooLarge(ContrastiveSegError):
    """Even the smallest batch does not fit into memory."""


class Diverged(ContrastiveSegError):
    """The loss is no longer a number."""


class ProcessLost(ContrastiveSegError):
    """Another process of the same job has failed."""


class CannotWrite(ContrastiveSegError):
    """A result cannot be written where it was asked to go."""
