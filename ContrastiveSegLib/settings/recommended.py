"""Which methods and networks a user should try first; all others are there to be compared with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

# In the order of the advice in README.md and in docs/methods, docs/strategies and docs/networks.md.
RECOMMENDED = {
    "pretraining": ("supercl", "pcl"),
    "finetuning": ("self_training", "supervised", "pclmix"),
    "networks": ("unet",),
}


class Named(Protocol):
    """What can be chosen by its name."""

    @property
    def name(self) -> str:
        """The name of its file."""


Choice = TypeVar("Choice", bound=Named)


def recommended_first(entries: Iterable[Choice], kind: str) -> list[Choice]:
    """The entries of a folder: those that are recommended, then all others in the order they had."""
    order = RECOMMENDED[kind]
    return sorted(entries, key=lambda entry: order.index(entry.name) if entry.name in order else len(order))


def braces(names: Sequence[str], kind: str) -> str:
    """The names of a folder as the help shows them, for example {supercl,pcl; to compare: byol,moco}."""
    first = [name for name in names if name in RECOMMENDED[kind]]
    others = [name for name in names if name not in RECOMMENDED[kind]]
    parts = [",".join(first), f"to compare: {','.join(others)}" if first and others else ",".join(others)]
    return "{" + "; ".join(part for part in parts if part) + "}"
