"""The interface of each pre-training method: Settings, loss_terms(), what it trains and what it needs."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from torch import Tensor

from ContrastiveSegLib.contrast.losses import positives_per_anchor, spread
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.registry import ENGINE, list_entries, load_entry
from ContrastiveSegLib.training.learner import Learner
from ContrastiveSegLib.training.slice_pairs import Partners


class PretrainingMethod(Learner):
    """Learns a network's parts from unlabeled images.

    A method's file holds `Settings`, a frozen dataclass whose fields are the method's settings, and
    `Method(network, settings)`. Modules a method adds beside `network` exist only during pre-training.

    Attributes:
        network: What is learned.
        trains: Parts of the network that receive gradients and travel to fine-tuning.
        dims: For slices (2), for blocks (3), or both.
        needs: What the data must offer: "slice positions" (several slices per case), "regions" (superpixels,
            then prepared and given with each batch), "scans" (at least two), "slice labels" (one per slice).
        partners: Which other slices come with each slice, if any.
        smallest_batch: Below this there is nothing to compare with.
    """

    network: Backbone
    trains: tuple[str, ...] = ("encoder",)
    dims: tuple[int, ...] = (2, 3)
    needs: tuple[str, ...] = ()
    partners: Partners | None = None
    smallest_batch: int = 2

    @classmethod
    def needs_of(cls, settings: Any) -> tuple[str, ...]:  # noqa: ARG003 (for those whose settings decide)
        """What the data must offer with these settings; `needs` unless a method says otherwise."""
        return cls.needs

    def collapse_value(self, images: int) -> float | None:  # noqa: ARG002 (for those who know it)
        """Value of the first term for a batch of `images` if all features are equal, where it is known."""
        return None

    def shrunk(self) -> tuple[int, ...]:
        """How much smaller a second branch of the method sees the patch, along each axis."""
        return (1,) * len(self.network.stride)

    def watch(self, features: Tensor, positives: Tensor | None = None) -> None:
        """Keep an eye on features (..., D): how far they spread, and how many positives each has."""
        self.watched["spread"] = spread(features)
        if positives is not None:
            self.watched["positives_per_anchor"] = positives_per_anchor(positives)


def method_names() -> list[str]:
    """The methods there are: the names of the files in this folder."""
    return [entry.name for entry in list_entries(ENGINE / "pretraining")]


def load_method(name: str) -> ModuleType:
    """The file of a method, by name: its `Settings` and `Method`.

    Raises:
        BadSetting: No such method.
    """
    return load_entry("pretraining", name, what="pre-training method")
