"""The promise each pre-training method keeps: Settings, loss_terms(), the parts it trains."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.training.loop import Learner


class PretrainingMethod(Learner):
    """Learns a network's parts from unlabeled images.

    A method's file holds `Settings`, a frozen dataclass whose fields are the method's settings, and
    `Method(network, settings)`. Modules a method adds beside `network` exist only during pre-training.

    Attributes:
        network: What is learned.
        trains: Parts of the network that receive gradients and travel to fine-tuning.
    """

    network: Backbone
    trains: tuple[str, ...] = ("encoder",)

    def collapse_value(self, images: int) -> float | None:  # noqa: ARG002 (for those who know it)
        """Value of the first term for a batch of `images` if all features are equal, where it is known."""
        return None


def load_method(name: str) -> ModuleType:
    """The file of a method, by name: its `Settings` and `Method`.

    Raises:
        BadSetting: No such method.
    """
    names = sorted(f.stem for f in Path(__file__).parent.glob("[!_]*.py"))
    if name not in names:
        raise BadSetting(f'There is no pre-training method "{name}".', f"Choose one of: {', '.join(names)}.")
    return importlib.import_module(f"ContrastiveSegLib.pretraining.{name}")
