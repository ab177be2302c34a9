"""Processes that torchrun started meet, do a job together, and end together."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from ContrastiveSegLib import __version__
from ContrastiveSegLib.distributed.coordination import (
    FAILED,
    announce_cancelled,
    announce_failure,
    announce_memory_ended,
    check_alike,
    lost,
    wait_for_all,
)
from ContrastiveSegLib.distributed.processes import (
    Processes,
    asked_for,
    beginning,
    count,
    count_anew,
    met,
    rank,
    store,
)
from ContrastiveSegLib.errors import BadSetting, Cancelled, ProcessLost
from ContrastiveSegLib.settings.rules import MayChange, rules_of

LOGGER = logging.getLogger("ContrastiveSegLib")
MEETS_WITHIN_S = 300.0
# One process may read thousands of files while the others wait; that one has failed is noticed otherwise.
ANSWERS_WITHIN = timedelta(hours=12)
LOOKS_EVERY_S = 2.0
ENDS_WITHIN_S = 20.0
LEAVES_WITHIN_S = 5.0  # torchrun waits 30 seconds before it kills


@contextmanager
def joined(job: str, settings: Any, *, within_s: float = MEETS_WITHIN_S) -> Iterator[None]:
    """Inside the block all processes of the job work together; one that fails ends them all.

    Args:
        within_s: How long the processes wait for each other at the start.

    Raises:
        BadSetting: They cannot meet, or were given different settings.
        ProcessLost: Another one has failed; says why.
    """
    own, several = asked_for()
    if several == 1:
        yield
        return
    if sys.platform == "win32":
        raise BadSetting(
            "torchrun with several processes is not supported on Windows.",
            "Start the job without torchrun, or on Linux.",
        )
    with met(Processes(own, several, _store(own, several, within_s))):
        try:
            wait_for_all(within_s=within_s)
            facts = {"ContrastiveSeg": __version__, "torch": torch.__version__}
            check_alike("versions", facts)
            check_alike("settings", {"job": job, **_by_name(settings)})
            wait_for_all()  # making connections would wait for one that was refused
            with _watched(), _connected(own, several):
                yield
                wait_for_all()
        except Cancelled as error:
            announce_cancelled(error)
            raise
        except BaseException as error:
            if not announce_failure(error) and not isinstance(error, ProcessLost):
                raise lost() from error
            raise
        finally:
            _leave(own, several)


def _store(own: int, several: int, within_s: float) -> Any:
    """Where the processes leave texts for each other.

    Raises:
        BadSetting: It cannot be reached.
    """
    try:
        return next(dist.rendezvous("env://", own, several, timeout=timedelta(seconds=within_s)))[0]
    except (RuntimeError, ValueError) as error:
        host, port = (os.environ.get(f"MASTER_{part}", "") for part in ("ADDR", "PORT"))
        raise BadSetting(
            f"Process {own} of {several} could not meet the others at MASTER_ADDR={host!r}, "
            f"MASTER_PORT={port!r} within {within_s:.0f} seconds: {str(error).splitlines()[0]}",
            "Check that all processes were started, that this is the name of the first computer, and that no "
            "firewall closes the port.",
        ) from error


def _leave(own: int, several: int) -> None:
    """The first process, which may keep what was told, ends when the others have heard it."""
    with contextlib.suppress(RuntimeError):
        store().set(f"left {own}", "")
        until = time.monotonic() + LEAVES_WITHIN_S
        while own == 0 and time.monotonic() < until:
            if store().check([f"left {n}" for n in range(several)]):
                return
            time.sleep(LOOKS_EVERY_S / 10)


@contextmanager
def _connected(own: int, several: int) -> Iterator[None]:
    """The connections over which tensors go: gloo for those in main memory, NCCL for those on GPUs."""
    _connect(own, several)
    try:
        yield
    finally:
        _disconnect()


def _connect(own: int, several: int) -> None:
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    connection = dist.PrefixStore(f"tensors {beginning()}", store())
    dist.init_process_group(backend, store=connection, rank=own, world_size=several, timeout=ANSWERS_WITHIN)


def _disconnect() -> None:
    with contextlib.suppress(RuntimeError):  # the others may have gone
        dist.destroy_process_group()


def begin_again() -> None:
    """Leave the step together, wherever each process is in it, and connect anew.

    A process in which memory ran out closes its connections, which ends what the others wait for.

    Raises:
        ProcessLost: One of them has failed.
    """
    announce_memory_ended()
    _disconnect()
    count_anew()
    wait_for_all()
    _connect(rank(), count())


@contextmanager
def _watched() -> Iterator[None]:
    """End this process when another one has failed and this one does not notice, as in a call of NCCL."""
    stop = threading.Event()
    watch = threading.Thread(target=_watch, args=(stop, store()), name="processes", daemon=True)
    watch.start()
    try:
        yield
    finally:
        stop.set()
        watch.join()


def _watch(stop: threading.Event, told: Any) -> None:
    with contextlib.suppress(RuntimeError):
        while not stop.wait(LOOKS_EVERY_S):
            if told.check([FAILED]):
                if not stop.wait(ENDS_WITHIN_S):
                    LOGGER.error("%s", told.get(FAILED).decode())
                    os._exit(1)
                return


def _by_name(settings: Any, before: str = "") -> dict[str, Any]:
    """Settings by dotted names, without what may differ from computer to computer."""
    found: dict[str, Any] = {}
    for name, rule in rules_of(type(settings)).items():
        value = getattr(settings, name)
        if dataclasses.is_dataclass(value):
            found |= _by_name(value, f"{before}{name}.")
        elif not rule.marked(MayChange):
            found[before + name] = value
    return found
