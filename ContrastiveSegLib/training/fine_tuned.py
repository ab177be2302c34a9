"""A fine-tuned network with everything that prediction needs: found in a run folder, loaded, and asked."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ContrastiveSegLib.errors import BadCheckpoint, BadFile
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.inference.predictor import Predictor
from ContrastiveSegLib.networks.backbone import Backbone, check_sides
from ContrastiveSegLib.networks.weights import load_model, model_card_errors
from ContrastiveSegLib.postprocessing.decision import Rules, decide_classes, final_labels
from ContrastiveSegLib.postprocessing.existing_results import short_digest
from ContrastiveSegLib.postprocessing.expected_dice import Certainty, Expectation
from ContrastiveSegLib.postprocessing.spatial_prior import Places
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.resampling import prepare
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from ContrastiveSegLib.session.device import Compute
from ContrastiveSegLib.training.modality import modality_learned
from ContrastiveSegLib.training.model_card import checked_card
from ContrastiveSegLib.training.unsealed_card import check_unsealed


@dataclass(frozen=True)
class Model:
    """A fine-tuned network with everything that prediction needs.

    Args:
        architecture: The network's name in the catalog.
        single_components: Groups of class indices of which one component is kept, one after the other.
        places: Where a group usually lies, if scans agreed on it; elsewhere the largest component is kept.
        mirrored: Whether it learned from mirrored patches too.
        round: Of fine-tuning that it comes from.
        identity: A short checksum of its card, and thereby of its weights.
        sha256: Of the file of its weights.
        expectation: Of the Dice of its predictions.
    """

    network: Backbone
    architecture: str
    grid: WorkingGrid
    intensities: Intensities
    table: LabelTable
    single_components: tuple[tuple[int, ...], ...]
    places: Places
    mirrored: bool
    channels: int
    compute: Compute
    round: int
    identity: str
    sha256: str
    expectation: Expectation


def finished_round(folder: RunFolder, number: int | None) -> ModelFolder:
    """The round of fine-tuning to predict with: the last finished one, unless named.

    Raises:
        BadCheckpoint: There is none.
    """
    rounds = folder.finetune_rounds(finished=True)
    if not rounds or (number is not None and number not in rounds):
        which = f"round {number} of fine-tuning" if number else "finished fine-tuning"
        raise BadCheckpoint(
            f"There is no {which} in {folder.path}.",
            f"Fine-tune, or name another run. Finished rounds: {', '.join(map(str, rounds)) or 'none'}.",
        )
    return ModelFolder(folder.finetune(number or rounds[-1]))


def load(source: ModelFolder, compute: Compute) -> Model:
    """Rebuild a fine-tuned network on the device, ready to predict.

    Raises:
        BadCheckpoint: Damaged, or of another version.
    """
    network, card = load_model(source)
    compute.place(network)
    network.eval()
    with model_card_errors(source):
        says = checked_card(card)
        check_unsealed(source, card)
        check_sides(network, says.grid.patch)
    return Model(
        network,
        str(card["network"]),
        says.grid,
        says.intensities,
        says.table,
        says.single_components,
        says.places,
        says.mirrored,
        network.in_channels,
        compute,
        int(source.path.name),
        short_digest(card),
        str(card["sha256"]),
        says.expectation,
    )


def load_round(folder: RunFolder, number: int | None, compute: Compute) -> Model:
    """The network of a round, which scales gray values as those of the cases it learned from.

    Raises:
        BadCheckpoint: There is no such round, or it is damaged.
    """
    place = finished_round(folder, number)
    model = load(place, compute)
    return replace(model, intensities=modality_learned(model.intensities, folder, place))


def prepared_for(model: Model, image: Volume, name: str) -> Volume:
    """An image (C, K, H, W) on the working grid of the network.

    Raises:
        BadFile: It has other channels than the network.
    """
    if len(image.array) != model.channels:
        raise other_channels(name, len(image.array), model.channels)
    return prepare(image, model.grid, model.intensities)[0]


def other_channels(name: str, found: int, expected: int) -> BadFile:
    """The error for an image that the network cannot see."""
    return BadFile(
        f"{name} has {found} channels, the network was trained with {expected}.",
        "Give the same channels in the same order as in training, or leave the case out.",
    )


def segment(
    model: Model,
    working: Volume,
    original: Geometry,
    *,
    mirror: bool = False,
    intensity_refinement: bool = True,
) -> tuple[Volume, Volume, float]:
    """Segment one prepared image on the grid of its file.

    Args:
        working: (C, K, H, W) on the working grid.
        intensity_refinement: Let the gray values of this volume correct what the network says of it.

    Returns:
        Labels (K, H, W) with the values of the label table; uncertainty (1, K, H, W): entropy, 0...1; and
        the Dice that may be expected.
    """
    certainty = Certainty()
    rules = rules_of(model, intensity_refinement=intensity_refinement)
    slices = Predictor(model.network, model.grid.patch, model.compute).slices(working.array, mirror=mirror)
    classes, uncertainty = decide_classes(slices, working, original, rules, collect=certainty.collect)
    each = certainty.of_each(model.single_components, model.places, working.geometry)
    del certainty  # before the next whole volumes are made
    labels = final_labels(classes.array, rules)
    return Volume(labels, original), uncertainty, model.expectation.dice_of(each)


def rules_of(model: Model, *, intensity_refinement: bool = True) -> Rules:
    """How the probabilities of this model become labels."""
    return Rules(model.table.values, model.single_components, model.places, intensity_refinement)
