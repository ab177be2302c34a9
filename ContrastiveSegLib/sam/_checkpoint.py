"""Weights on disk: found, identified by their SHA-256, and read without running anything in them."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import safetensors
import torch
from safetensors.torch import load_file

from ContrastiveSegLib.errors import BadCheckpoint, TooLarge
from ContrastiveSegLib.sam._model import Card

# Training scripts put the weights of the model under one of these names.
WRAPPINGS = ("model", "state_dict", "model_state_dict")
# The weights, their copy inside the network, and the activations of a slice.
MEMORY_PER_BYTE = 2.5


@dataclass(frozen=True)
class Weights:
    """Weights that were found.

    Args:
        path: A file of tensors, or a folder as transformers saves it (config.json, model.safetensors).
        known_as: What is published under this checksum; "" if the checksum is not known here.
    """

    path: Path
    sha256: str
    known_as: str = ""

    @property
    def file(self) -> Path:
        """The file that holds the tensors."""
        return self.path / "model.safetensors" if self.path.is_dir() else self.path

    def describe(self) -> str:
        """One line for people: file, checksum, and whether it is a published one."""
        known = self.known_as or "not a checksum that this program knows"
        return f"{self.path} (SHA-256 {self.sha256}: {known})"


@dataclass(frozen=True)
class Signs:
    """What tells the family of weights: names and shapes of the tensors, and the model_type of a folder."""

    shapes: Mapping[str, tuple[int, ...]]
    model_type: str = ""


def find_weights(card: Card, checkpoint: Path | None, *, checksum: str = "") -> Weights:
    """The weights the user names, or those of an installed package.

    Args:
        checksum: SHA-256 that they must have; empty: any, but those of a package must be the published ones.

    Raises:
        BadCheckpoint: There are none, or they have another checksum.
    """
    path = checkpoint or carried_weights(card)
    if path is None:
        raise BadCheckpoint("No weights were named, and no installed package carries any.", card.how)
    weights = identify(path, card.known)
    if checksum and weights.sha256 != checksum.lower():
        raise BadCheckpoint(
            f"{weights.file} has the SHA-256 {weights.sha256}, expected was {checksum.lower()}.",
            "Get the file again, or correct the checksum.",
        )
    if checkpoint is None and card.known and not weights.known_as:
        raise BadCheckpoint(
            f"{path} has the SHA-256 {weights.sha256}; the published weights begin with "
            f"{' or '.join(card.known)}. The file is damaged, or was replaced.",
            f"Install the package again: {card.how}",
        )
    return weights


def identify(path: Path, known: Mapping[str, str]) -> Weights:
    """Name the weights by their checksum.

    Args:
        known: Start of a SHA-256, and what is published under it.

    Raises:
        BadCheckpoint: The file cannot be read.
    """
    weights = Weights(path, "")
    sha256 = _sha256(weights.file)
    return Weights(
        path, sha256, next((name for start, name in known.items() if sha256.startswith(start)), "")
    )


def carried_weights(card: Card) -> Path | None:
    """The file with weights in an installed package, found without importing the package."""
    if card.carried is None:
        return None
    distribution, inside = card.carried
    try:
        path = Path(str(importlib.metadata.distribution(distribution).locate_file(inside)))
    except importlib.metadata.PackageNotFoundError:
        return None
    return path if path.is_file() else None


def read_signs(path: Path) -> Signs:
    """Names and shapes of the tensors, without the tensors.

    Raises:
        BadCheckpoint: The file cannot be read, or holds something else.
    """
    file = Weights(path, "").file
    model_type = _model_type(path) if path.is_dir() else ""
    if file.suffix == ".safetensors":
        try:
            with safetensors.safe_open(file, "pt") as stream:
                shapes = {name: tuple(stream.get_slice(name).get_shape()) for name in stream.keys()}  # noqa: SIM118
        except (OSError, safetensors.SafetensorError) as error:
            raise _unreadable(file, error) from error
        return Signs(shapes, model_type)
    return Signs({name: tuple(tensor.shape) for name, tensor in read_tensors(file).items()}, model_type)


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a .pt, .pth or .safetensors file; nothing but tensors is accepted.

    Raises:
        BadCheckpoint: The file cannot be read, or holds something else.
        TooLarge: It does not fit into memory.
    """
    _check_memory(path)
    try:
        if path.suffix == ".safetensors":
            found: Any = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise BadCheckpoint(
            f"{path} holds more than weights, or no weights at all; reading it could run foreign code, so it "
            "was not read.",
            "Use the published checkpoint, or save the model's state_dict alone.",
        ) from error
    except Exception as error:  # a damaged pickle leads to any
        raise _unreadable(path, error) from error
    while isinstance(found, dict) and (inner := next((w for w in WRAPPINGS if w in found), None)):
        found = found[inner]
    tensors = found if isinstance(found, dict) else {}
    if not tensors or not all(isinstance(n, str) and isinstance(t, torch.Tensor) for n, t in tensors.items()):
        raise BadCheckpoint(f"{path} does not hold the tensors of a model.", "Choose a model's checkpoint.")
    return {name.removeprefix("module."): tensor for name, tensor in tensors.items()}


def load_exactly(network: torch.nn.Module, tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Put the tensors into a network that needs exactly these.

    Raises:
        BadCheckpoint: Tensors are missing, left over or of another size.
    """
    try:
        missing, left_over = network.load_state_dict(dict(tensors), strict=False)
    except RuntimeError as error:
        raise _does_not_fit(path, str(error).splitlines()[-1].strip()) from error
    if missing or left_over:
        shown = ", ".join(
            [*(f"{name} is missing" for name in missing), *(f"{n} is too many" for n in left_over)][:3]
        )
        raise _does_not_fit(path, shown)


def _does_not_fit(path: Path, why: str) -> BadCheckpoint:
    return BadCheckpoint(
        f"The tensors of {path} do not fit the model: {why}.",
        "Choose the family of the checkpoint with --model, or another checkpoint.",
    )


def _unreadable(path: Path, error: BaseException) -> BadCheckpoint:
    reason = getattr(error, "strerror", "") or str(error).partition("\n")[0] or type(error).__name__
    return BadCheckpoint(
        f"{path} cannot be read as weights: {reason.rstrip('.')}.", "Choose another file, or get it again."
    )


def _check_memory(path: Path) -> None:
    try:
        needed = int(path.stat().st_size * MEMORY_PER_BYTE)
    except OSError as error:
        raise _unreadable(path, error) from error
    free = psutil.virtual_memory().available
    if needed > free:
        raise TooLarge(
            f"The model in {path} needs about {needed >> 20} MB of memory; {free >> 20} MB are free.",
            "Close other programs, or choose a smaller model of the family.",
        )


def _model_type(folder: Path) -> str:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return str(config.get("model_type", ""))
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise BadCheckpoint(
            f"{folder} is not a folder with a model: config.json is missing or damaged.",
            "Name a checkpoint file, or a folder with config.json and model.safetensors.",
        ) from error


def _sha256(path: Path) -> str:
    """Of a file that several families ask about: read once for as long as it stays the same."""
    try:
        found = path.stat()
        return _sha256_of(path, found.st_mtime_ns, found.st_size)
    except OSError as error:
        raise _unreadable(path, error) from error


@functools.lru_cache(maxsize=16)
def _sha256_of(path: Path, _written: int, _size: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
