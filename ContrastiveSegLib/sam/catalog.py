"""The families of promptable models: which there are, and which one a checkpoint belongs to."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ContrastiveSegLib.errors import BadCheckpoint, BadSetting
from ContrastiveSegLib.registry import ENGINE, Entry, list_entries, load_entry, unknown_name
from ContrastiveSegLib.sam._checkpoint import (
    Signs,
    Weights,
    carried_weights,
    find_weights,
    identify,
    read_signs,
)
from ContrastiveSegLib.sam._model import Card
from ContrastiveSegLib.session.device import Compute
from ContrastiveSegLib.settings.model_catalog import DEFAULT

SEE_MODELS = "See with `python -m ContrastiveSegLib models` which checkpoints can be used."
INSTALL = "Run: python -m pip install 'transformers>=5'"


@dataclass(frozen=True)
class Family:
    """A family of promptable models: one file of this folder."""

    name: str
    caption: str
    card: Card
    recognizes: Callable[[Signs], bool]
    load: Callable[[Weights, Compute], Any]

    @property
    def missing_packages(self) -> tuple[str, ...]:
        """Packages it needs that are not installed."""
        return tuple(name for name in self.card.packages if importlib.util.find_spec(name) is None)


def list_families() -> tuple[Family, ...]:
    """Every family, sorted by name; nothing of theirs is loaded."""
    return tuple(_family(entry) for entry in list_entries(ENGINE / "sam", defining="CARD"))


def _family(entry: Entry) -> Family:
    module = load_entry("sam", entry.name, what="promptable model")
    return Family(entry.name, entry.caption, module.CARD, module.recognizes, module.load)


def choose_family(name: str, checkpoint: Path | None, *, makes: tuple[str, ...]) -> Family:
    """The family that was named, or the one that the checkpoint belongs to.

    Args:
        makes: What the job can use, best first: "masks", "volumes".

    Raises:
        BadSetting: There is no such family, or it makes something else.
        BadCheckpoint: The checkpoint belongs to no family, or to another one.
    """
    families = {family.name: family for family in list_families()}
    if name == "auto":
        name = recognize(checkpoint, makes=makes).name if checkpoint else DEFAULT
    if name not in families:
        raise unknown_name("promptable model", name, families)
    if families[name].card.makes not in makes:
        others = ", ".join(f.name for f in families.values() if f.card.makes in makes)
        raise BadSetting(
            f"{name} follows a structure through a volume; this job needs masks.", f"Choose {others}."
        )
    return families[name]


def recognize(checkpoint: Path, *, makes: tuple[str, ...] = ("masks", "volumes")) -> Family:
    """The family of a checkpoint, told from its checksum and its tensors; of the first kind in `makes`.

    Raises:
        BadCheckpoint: No family knows it, several may be meant, or it cannot be read.
    """
    signs = read_signs(checkpoint)
    fitting = [f for f in list_families() if f.recognizes(signs) and f.card.makes in makes]
    best = [f for kind in makes for f in fitting if f.card.makes == kind]
    best = [f for f in best if f.card.makes == best[0].card.makes]
    if not best:
        raise BadCheckpoint(
            f"{checkpoint} holds {len(signs.shapes)} tensors that no family here knows (first: "
            f"{', '.join(list(signs.shapes)[:2])}).",
            SEE_MODELS,
        )
    certain = [f for f in best if identify(checkpoint, f.card.known).known_as] if len(best) > 1 else best
    if len(certain) != 1:
        names = " or ".join(f.name for f in best)
        raise BadCheckpoint(
            f"{checkpoint} may be {names}: their tensors look alike, and its checksum is not known here.",
            "Say which with --model.",
        )
    return certain[0]


def load_family(
    family: Family, checkpoint: Path | None, compute: Compute, *, checksum: str = ""
) -> tuple[Any, Weights]:
    """Find the weights, make sure they are the family's, and load the model.

    Raises:
        BadCheckpoint: No weights, damaged ones, those of another family, or with another checksum.
        BadSetting: A package is missing.
        TooLarge: The model does not fit into memory.
    """
    weights = find_weights(family.card, checkpoint, checksum=checksum)
    _refuse_other_family(family, weights)
    if missing := family.missing_packages:
        raise BadSetting(f"{family.name} needs the Python package {', '.join(missing)}.", INSTALL)
    return family.load(weights, compute), weights


def usable_weights(family: Family) -> Weights | None:
    """The weights of an installed package, if there are some."""
    path = carried_weights(family.card)
    return identify(path, family.card.known) if path else None


def _refuse_other_family(family: Family, weights: Weights) -> None:
    """Whatever the checksum or the tensors say of another family."""
    others = [other for other in list_families() if other.name != family.name]
    published = [o.name for o in others if identify(weights.path, o.card.known).known_as]
    signs = read_signs(weights.path)
    alike = [] if family.recognizes(signs) else [o.name for o in others if o.recognizes(signs)]
    theirs = [] if weights.known_as else [*published, *alike]
    if theirs:
        raise BadCheckpoint(
            f"{weights.path} is a checkpoint of {theirs[0]}, not of {family.name}.",
            f"Choose --model {theirs[0]}, or another checkpoint.",
        )
