"""What the card of a fine-tuned model says, checked before anything is predicted with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.postprocessing.connected_components import Group
from ContrastiveSegLib.postprocessing.expected_dice import Expectation
from ContrastiveSegLib.postprocessing.spatial_prior import Places, places_from_json
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.settings.rules import Formerly, Range
from ContrastiveSegLib.settings.schema import current_names, from_dict

_Class = Annotated[int, Range(1, 32767)]
_Share = Annotated[float, Range(0, 1)]
_Spread = Annotated[float, Range(1e-6, 1e6)]


@dataclass(frozen=True)
class _Place:
    group: tuple[_Class, ...]
    center: tuple[float, float, float]
    spread: tuple[_Spread, _Spread, _Spread]


@dataclass(frozen=True)
class _Expected:
    always: tuple[_Class, ...] = ()
    certainty: tuple[_Share, ...] = ()
    dice: tuple[_Share, ...] = ()
    cases: Annotated[int, Range(0, 1_000_000)] = 0


@dataclass(frozen=True)
class _Facts:
    """The plain values of the card that prediction reads."""

    grid: WorkingGrid
    intensities: Intensities
    single_components: Annotated[tuple[tuple[_Class, ...], ...], Formerly("single_pieces")]
    mirrored: bool
    places: tuple[_Place, ...] = ()
    expected_dice: _Expected = _Expected()


@dataclass(frozen=True)
class ModelCard:
    """How images are brought to the network, and what its answers mean.

    Args:
        single_components: Groups of class indices of which one component is kept.
        places: Where a group usually lies.
        mirrored: Whether the network learned from mirrored patches too.
        expectation: Of the Dice of its predictions.
    """

    grid: WorkingGrid
    intensities: Intensities
    table: LabelTable
    single_components: tuple[Group, ...]
    places: Places
    mirrored: bool
    expectation: Expectation


def checked_card(card: Mapping[str, Any]) -> ModelCard:
    """The card of a fine-tuned model.

    Raises:
        BadSetting, KeyError: Something is missing, of another type, or does not go with the rest.
    """
    names = {*_Facts.__dataclass_fields__, *current_names(_Facts)}
    facts = from_dict(_Facts, {name: value for name, value in card.items() if name in names})
    table, arguments = LabelTable.from_json(card["labels"]), card["arguments"]
    if len(table.structures) + 1 != arguments["classes"]:
        raise _contradiction(f"{len(table.structures)} structures for {arguments['classes']} classes")
    if len(facts.grid.patch) != arguments["spatial_dims"]:
        raise _contradiction(f"a patch of {facts.grid.patch} for {arguments['spatial_dims']} dimensions")
    places = places_from_json(card.get("places", ()))
    unknown = _unknown_classes((*facts.single_components, *places), arguments["classes"])
    if unknown:
        raise _contradiction(f"class {unknown[0]} of {arguments['classes']}")
    expected = facts.expected_dice
    if len(expected.certainty) != len(expected.dice):
        raise _contradiction(f"{len(expected.dice)} expected Dice for {len(expected.certainty)} certainties")
    return ModelCard(
        facts.grid,
        facts.intensities,
        table,
        facts.single_components,
        places,
        facts.mirrored,
        Expectation.from_json(asdict(expected)),
    )


def _unknown_classes(groups: Iterable[Group], classes: int) -> list[int]:
    return [number for group in groups for number in group if number >= classes]


def _contradiction(what: str) -> BadSetting:
    return BadSetting(f"It contradicts itself: {what}.", "Train again.")
