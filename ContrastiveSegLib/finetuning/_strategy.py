"""The interface of each fine-tuning strategy: Settings, and loss_terms() on annotated batches."""

from __future__ import annotations

from collections.abc import Collection
from types import ModuleType
from typing import Any, ClassVar

from ContrastiveSegLib.finetuning._augmentation import Augmentation
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.registry import load_entry
from ContrastiveSegLib.training.learner import Learner

NEVER = "it learns nothing from scans without annotation. Choose --strategy self_training or mean_teacher"


class FinetuningStrategy(Learner):
    """Learns a whole network from annotated images.

    A strategy's file holds `Settings`, a frozen dataclass, and `Strategy(network, patch, settings)`.

    Attributes:
        network: What is learned, and later predicts.
        augmented: Makes the patches that it learns from.
        mirrors: Whether it learns from mirrored patches too, so that prediction may average over them.
        margin: How much larger than the patch the images come, so that rotation finds pixels.
        draws_unknown: Whether it learns from slices without annotation too.
        two_streams: Whether half of each batch comes from cases that nobody annotated, where there are any.
        rounds: What `rounds_of` says.
        continues: Whether the network of a round begins as that of the round before.
        first_steps: Share of the steps, at the beginning, that see annotated cases alone.
        last_steps: Share of the steps, at the end of a round, that see annotated cases alone.
        learns_from: Kinds of annotation it is made for.
    """

    network: Backbone
    augmented: Augmentation
    mirrors: bool = False
    margin: float = 1.0
    draws_unknown: bool = False
    two_streams: bool = False
    rounds: int = 0
    continues: bool = False
    first_steps: float = 0.0
    last_steps: float = 0.0
    learns_from: ClassVar[tuple[str, ...]] = ("cases", "slices", "scribbles")

    @classmethod
    def why_no_scans(cls, _settings: Any, _patients: int) -> str:
        """Why cases that nobody annotated teach it nothing; empty if they do.

        Args:
            settings: Its own.
            patients: How many are annotated.
        """
        return "" if cls.two_streams else NEVER

    @classmethod
    def rounds_of(cls, _settings: Any) -> int:
        """How often the labels of other cases are predicted, each time by the network before; 0: never."""
        return 0

    @classmethod
    def coarse_first(cls, _settings: Any) -> bool:
        """Whether all its networks but the last may learn at half the resolution."""
        return False

    @classmethod
    def first_strategy(cls, _kinds: Collection[str], _dims: int) -> str:
        """Who teaches the first network, while nothing is predicted yet; empty: this strategy.

        Args:
            kinds: Of annotations: "cases", "slices", "scribbles".
            dims: 2 for slices, 3 for blocks.
        """
        return ""

    def unknown(self, number: int) -> float:
        """Share of each structure's predicted voxels that stay unknown in a round, counted from 1."""
        raise NotImplementedError(f"{type(self).__module__} has no round {number}")


def load_strategy(name: str) -> ModuleType:
    """The file of a strategy, by name: its `Settings` and `Strategy`.

    Raises:
        BadSetting: No such strategy.
    """
    return load_entry("finetuning", name, what="fine-tuning strategy")
