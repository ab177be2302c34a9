"""The state from which an interrupted training goes on as if nothing had happened."""

from __future__ import annotations

import hashlib
import io
import pickle
import re
from pathlib import Path
from typing import Any

import torch

from ContrastiveSegLib.errors import BadCheckpoint
from ContrastiveSegLib.runs.atomic_write import make_folder, write_atomically

FORMAT = 2
# The first line of the file; torch itself would not notice a changed bit in a tensor.
SEAL = "ContrastiveSeg training state, format {format}, sha256 {digest}\n"
SEAL_LENGTH = 256


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write tensors, numbers and text; whoever looks sees the old state or the new one, never a part.

    Raises:
        CannotWrite: No space or no permission; the old state is untouched.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getbuffer()
    seal = SEAL.format(format=FORMAT, digest=hashlib.sha256(payload).hexdigest())
    make_folder(path.parent)
    write_atomically(path, b"".join([seal.encode(), payload]))


def load_state(path: Path, device: torch.device) -> dict[str, Any] | None:
    """The saved state, or None if there is none. Nothing in the file is executed.

    Raises:
        BadCheckpoint: The file is damaged or of another format version.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(
            io.BytesIO(_unsealed(path)), map_location=device, weights_only=True
        )
    except (OSError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        raise BadCheckpoint(
            f"The saved training state {path} cannot be read: {str(error).splitlines()[0]}",
            "Delete this file to begin this training anew, or restore it from a copy.",
        ) from error
    return state


def _unsealed(path: Path) -> bytes:
    """What follows the first line, if it is what was written.

    Raises:
        BadCheckpoint: It is of another format version.
        ValueError: It is not what was written.
    """
    content = path.read_bytes()
    pattern = SEAL.format(format=r"(\d+)", digest="([0-9a-f]{64})").encode()
    seal = re.match(pattern, content[:SEAL_LENGTH])
    if not seal:
        raise ValueError("it does not begin as a training state does.")
    found = int(seal[1])
    if found != FORMAT:
        raise BadCheckpoint(
            f"The saved training state {path} has format version {found}, this program reads {FORMAT}.",
            "Finish it with the version of ContrastiveSeg that wrote it, or delete this file to begin anew.",
        )
    payload = content[seal.end() :]
    if hashlib.sha256(payload).hexdigest() != seal[2].decode():
        raise ValueError("it was damaged or cut off after it was written.")
    return payload
