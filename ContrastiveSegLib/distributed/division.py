"""How the images of a step are divided over the processes: each has a range of them, in the order of all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ContrastiveSegLib.distributed.processes import count, rank
from ContrastiveSegLib.errors import BadSetting


@dataclass(frozen=True)
class Division:
    """How many images a step has, and how many processes share them.

    Tensors have a row per image, or several groups of such rows: [first views; second views].
    """

    images: int
    processes: int
    rank: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many images each process has; the first ones have one more where they cannot have the same."""
        each, more = divmod(self.images, self.processes)
        return tuple(each + (n < more) for n in range(self.processes))

    @property
    def own(self) -> slice:
        """The images of this process."""
        begin = sum(self.sizes[: self.rank])
        return slice(begin, begin + self.sizes[self.rank])


_now: Division | None = None


def current() -> Division | None:
    """How the images of this step are divided; None outside of a step, and where there is one process."""
    return _now


def own_images(images: int) -> slice:
    """Which of the images of a step this process has."""
    return Division(images, count(), rank()).own


@contextmanager
def divided(images: int) -> Iterator[None]:
    """Inside the block, which is a step, so many images are divided over the processes; 0: none are."""
    global _now  # what is random or summed in a step would have to hand it through every call
    before, _now = _now, Division(images, count(), rank()) if images and count() > 1 else None
    try:
        yield
    finally:
        _now = before


def check_division(images: int) -> None:
    """Refuse a step that has not one image for each process.

    Raises:
        BadSetting: Says how many it takes.
    """
    if images < count():
        raise BadSetting(
            f"{images} images per step cannot be divided over {count()} processes.",
            f"Choose --batch {count()} or more, or start fewer processes.",
        )
