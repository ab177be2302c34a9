"""What the processes agree on outside of a step: who goes first, who failed, and that all do the same job."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ContrastiveSegLib.distributed.processes import beginning, count, is_first, next_turn, rank, store
from ContrastiveSegLib.errors import BadSetting, Cancelled, ProcessLost

FAILED, CANCELLED = "failed", "cancelled"
LOOKS_EVERY_S = 0.1
MESSAGE_WITHIN_S = 5.0  # after a process has gone; its message may still be under way


class MemoryEndedElsewhere(RuntimeError):
    """Memory ran out in another process, so that this step cannot be finished."""


@contextmanager
def first_process_first() -> Iterator[None]:
    """The first process does what is in the block before the others, which then find it done.

    Raises:
        Cancelled: The user asked the first one to stop.
        ProcessLost: One of them has failed.
    """
    turn = f"turn {next_turn()}"
    if count() > 1 and not is_first():
        wait_for(turn)
    yield
    if count() > 1 and is_first():
        store().set(turn, "")


def on_first_process(act: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    """Let the first process alone do something; the others wait until it is done.

    Raises:
        ProcessLost: One of them has failed.
    """
    with first_process_first():
        if is_first():
            act(*arguments, **named)


def wait_for_all(*, within_s: float | None = None) -> None:
    """Go on when every process has come here; what was done before it is then there for all.

    Raises:
        BadSetting: Some have not come within the time, if there is one; names them.
        Cancelled: The user asked one of them to stop.
        ProcessLost: One of them has failed.
    """
    if count() == 1:
        return
    turn = next_turn()
    store().set(f"here {turn} {rank()}", "")
    missing = [n for n in range(count()) if not wait_for(f"here {turn} {n}", most_s=within_s)]
    if missing and within_s is not None:
        raise BadSetting(
            f"{count()} processes were announced, but process {', '.join(map(str, missing))} did not come "
            f"within {within_s:.0f} seconds.",
            "Look at the messages of that process, or start fewer.",
        )


def wait_for(key: str, *, most_s: float | None = None) -> bool:
    """Wait until a process has written under this name; whether it came within the time, if there is one.

    Raises:
        MemoryEndedElsewhere: Another one cannot finish the step that all are in.
        ProcessLost: One of them has failed.
    """
    until = None if most_s is None else time.monotonic() + most_s
    try:
        while not store().check([key]):
            if store().check([FAILED]):
                raise lost()
            if store().check([CANCELLED]):
                raise Cancelled(*json.loads(store().get(CANCELLED)))
            if memory_ended():
                raise MemoryEndedElsewhere
            if until is not None and time.monotonic() > until:
                return False
            time.sleep(LOOKS_EVERY_S)
    except MemoryEndedElsewhere:
        raise
    except RuntimeError as error:  # the process that keeps what is told has gone
        raise lost() from error
    return True


def announce_memory_ended() -> None:
    """Let the others leave the step that this process cannot finish."""
    store().set(_memory_key(), "")


def memory_ended() -> bool:
    """Whether some process cannot finish the step that all are in."""
    try:
        return bool(store().check([_memory_key()]))
    except RuntimeError:  # the process that keeps the store has ended, too
        return False


def _memory_key() -> str:
    return f"memory ended {beginning()}"


def check_alike(what: str, facts: Mapping[str, Any]) -> None:
    """Make sure that all processes were given the same.

    Args:
        what: Such as "settings".
        facts: Plain values by name.

    Raises:
        BadSetting: Names what differs from the first process.
        ProcessLost: One of them has failed.
    """
    if count() == 1:
        return
    key = f"alike {next_turn()} {what}"
    own = json.loads(json.dumps(facts, default=str))
    if is_first():
        store().set(key, json.dumps(own))
    wait_for(key)
    first = json.loads(store().get(key))
    if listed := [_difference(name, first, own) for name in {**first, **own} if _differs(name, first, own)]:
        raise BadSetting(
            f"Process {rank()} of {count()} has other {what} than process 0: {'; '.join(listed[:3])}.",
            "Start all processes with the same command, the same files and the same version.",
        )


def announce_cancelled(error: Cancelled) -> None:
    """Let those stop too that wait for this process."""
    with contextlib.suppress(RuntimeError):  # they have gone
        store().set(CANCELLED, json.dumps([error.what, error.remedy]))


def announce_failure(error: BaseException) -> bool:
    """Tell the others why this process ends; whether it was the first to tell."""
    own, said = f"Process {rank()} of {count()}", str(error) or type(error).__name__
    text = said if said.startswith(own) else f"{own} failed: {said}"
    try:
        told: bytes = store().compare_set(FAILED, "", text)
    except RuntimeError:  # the process that keeps what is told has gone
        return True
    return told.decode() == text


def lost() -> ProcessLost:
    """The error for a process of which nothing is heard any more, with its message if it left one."""
    text, until = "", time.monotonic() + MESSAGE_WITHIN_S
    try:
        while not text and time.monotonic() < until:
            text = store().get(FAILED).decode() if store().check([FAILED]) else ""
            time.sleep(LOOKS_EVERY_S)
    except RuntimeError:
        text = ""
    return ProcessLost(
        text or "Another process of this job ended without a message, as one does that is killed.",
        "All processes have stopped. Start the job again to go on from what was saved.",
    )


def _differs(name: str, first: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    return name not in first or name not in own or bool(first[name] != own[name])


def _difference(name: str, first: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    return f"{name} is {own.get(name, 'missing')!r} here and {first.get(name, 'missing')!r} there"
