"""Weights on disk: tensors as safetensors, and beside them a card that says what they are. Never a pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ContrastiveSegLib.errors import BadCheckpoint, BadSetting
from ContrastiveSegLib.networks.backbone import Backbone, build_network, network_class
from ContrastiveSegLib.runs.atomic_write import make_folder, write_atomically, write_json
from ContrastiveSegLib.runs.run_folder import ModelFolder
from ContrastiveSegLib.settings.rules import Formerly, Range
from ContrastiveSegLib.settings.schema import from_dict, with_current_names

FORMAT = 2
# What a card leads to whose entries are of other types or sizes than anybody expects.
_ODD = (BadSetting, ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True)
class _Arguments:
    """What a network is built with, as far as any network of this program is."""

    in_channels: Annotated[int, Range(1, 65535)] = 1
    classes: Annotated[int, Range(1, 32768)] = 2
    base_channels: Annotated[int, Range(1, 1024), Formerly("width")] = 32
    spatial_dims: Literal[2, 3] = 2
    pools: tuple[tuple[Annotated[int, Range(1, 16)], ...], ...] | None = None
    downsampling: Annotated[int, Range(1, 16)] = 1


@dataclass(frozen=True)
class _Card:
    """What every card says; whoever wrote it may add facts."""

    network: str
    arguments: _Arguments
    parts: tuple[str, ...]
    sha256: str


def save_model(
    folder: ModelFolder,
    network: Backbone,
    *,
    name: str,
    arguments: dict[str, Any],
    parts: Sequence[str],
    **facts: Any,
) -> None:
    """Write the tensors of the named parts, and last the card, whose checksum seals them.

    Args:
        name: File name of the network, for `build_network`.
        arguments: Its other arguments.
        parts: Prefixes: "encoder", "decoder.0", ..., "head".
        facts: Whatever else belongs on the card, as plain JSON.

    Raises:
        CannotWrite: No space, or no permission.
    """
    tensors = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items() if is_of(k, parts)}
    payload = save(tensors)
    card = {"format": FORMAT, "network": name, "arguments": arguments, "parts": list(parts)}
    make_folder(folder.path)
    write_atomically(folder.weights, payload)
    card |= {"sha256": hashlib.sha256(payload).hexdigest(), **facts}
    write_json(folder.model, {**card, "seal": seal_of(card)})


def seal_of(card: dict[str, Any]) -> str:
    """A checksum of what a card says: else exchanged names or another spacing predict without a word."""
    content = {key: value for key, value in card.items() if key != "seal"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read_model_card(folder: ModelFolder) -> dict[str, Any]:
    """What model.json says.

    Raises:
        BadCheckpoint: It is missing, unreadable, or of another format version.
    """
    path = folder.model
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadCheckpoint(
            f"There is no readable model at {path} ({error}).",
            "Train first, or name the run folder of a finished training.",
        ) from error
    if not isinstance(card, dict) or not {"format", "network", "arguments", "parts", "sha256"} <= set(card):
        raise BadCheckpoint(
            f"{path} is not the description of a model that this program wrote.",
            "Copy the run folder again, or train again.",
        )
    if card["format"] != FORMAT:
        raise BadCheckpoint(
            f"{path} has format version {card['format']}, this program reads version {FORMAT}.",
            "Use the version of ContrastiveSeg that wrote it, or train again.",
        )
    if "seal" in card and card["seal"] != seal_of(card):  # version 0.1 wrote none
        raise BadCheckpoint(
            f"{path} is not as it was written: what it says of the model was changed or damaged since.",
            "Copy the run folder again, or train again.",
        )
    with model_card_errors(folder):
        network_class(from_dict(_Card, {key: card[key] for key in _Card.__dataclass_fields__}).network)
        return {**card, "arguments": with_current_names(_Arguments, card["arguments"])}


@contextmanager
def model_card_errors(folder: ModelFolder) -> Iterator[None]:
    """Let whatever a card leads to that says odd things end in one sentence.

    The cards of version 0.1 have no seal, and others may be made by other programs.

    Raises:
        BadCheckpoint: The card lacks something, or says what cannot be.
    """
    try:
        yield
    except (
        BadSetting,
        ArithmeticError,
        AttributeError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        why = error.what if isinstance(error, BadSetting) else f"{type(error).__name__}: {error}."
        raise BadCheckpoint(
            f"{folder.model} does not describe a model that can be used: {why}",
            "Copy the run folder again, or train again.",
        ) from error


def load_model(folder: ModelFolder) -> tuple[Backbone, dict[str, Any]]:
    """Rebuild a whole network as it was saved, with its card.

    Raises:
        BadCheckpoint: Something is missing, damaged or of another version.
    """
    card = read_model_card(folder)
    with model_card_errors(folder):
        network = build_network(card["network"], seed=0, **card["arguments"])
    load_parts(network, folder, parts=("encoder", "decoder", "head"))
    return network, card


def load_parts(
    network: Backbone, folder: ModelFolder, *, parts: Sequence[str] | None = None
) -> tuple[str, ...]:
    """Copy saved parts into `network` by name; all saved parts unless `parts` says which.

    Returns:
        Names of the tensors that were loaded.

    Raises:
        BadCheckpoint: Damaged, or tensors of these parts are missing or have another shape.
    """
    card = read_model_card(folder)
    with model_card_errors(folder):
        wanted = tuple(parts or map(str, card["parts"]))
    tensors = {k: v for k, v in _checked_tensors(folder, card).items() if is_of(k, wanted)}
    own = {k: v for k, v in network.state_dict().items() if is_of(k, wanted)}
    wrong = sorted(k for k in own if k not in tensors or tensors[k].shape != own[k].shape)
    if wrong or set(tensors) - set(own):
        first = wrong[0] if wrong else sorted(set(tensors) - set(own))[0]
        raise BadCheckpoint(
            f"The weights in {folder.path} do not fit the network {card['network']} {card['arguments']}: "
            f"{first} is {_shape(tensors.get(first))} there, {_shape(own.get(first))} expected.",
            "Choose the same network, base channels, dimensions and number of channels as in pre-training.",
        )
    network.load_state_dict(tensors, strict=False)
    return tuple(tensors)


def is_of(tensor_name: str, parts: Sequence[str]) -> bool:
    """Whether a tensor belongs to one of the parts: "decoder.0" holds "decoder.0.up.weight"."""
    return any(tensor_name.startswith(part + ".") for part in parts)


def _checked_tensors(folder: ModelFolder, card: dict[str, Any]) -> dict[str, Tensor]:
    path = folder.weights
    try:
        payload = path.read_bytes()
        if hashlib.sha256(payload).hexdigest() != card["sha256"]:
            raise BadCheckpoint(
                f"{path} is not the file that was saved: its checksum differs from {folder.model.name}.",
                "Copy the run folder again, or train again.",
            )
        return load(payload)
    except (OSError, SafetensorError) as error:
        raise BadCheckpoint(
            f"{path} cannot be read: {error}.", "Copy the run folder again, or train again."
        ) from error


def _shape(tensor: Tensor | None) -> str:
    return "missing" if tensor is None else " x ".join(map(str, tensor.shape)) or "a number"
