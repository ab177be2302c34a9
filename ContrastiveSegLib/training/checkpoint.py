"""The state from which an interrupted training goes on as if nothing had happened."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from ContrastiveSegLib.errors import BadCheckpoint
from ContrastiveSegLib.runs.writing import make_folder, write_atomically

FORMAT = 1


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write tensors, numbers and text; whoever looks sees the old state or the new one, never a part.

    Raises:
        CannotWrite: No space or no permission; the old state is untouched.
    """
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    make_folder(path.parent)
    write_atomically(path, buffer.getvalue())


def load_state(path: Path, device: torch.device) -> dict[str, Any] | None:
    """The saved state, or None if there is none. Nothing in the file is executed.

    Raises:
        BadCheckpoint: The file is damaged or of another format version.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise BadCheckpoint(
            f"The saved training state {path} cannot be read: {str(error).splitlines()[0]}",
            "Delete this file to begin this training anew, or restore it from a copy.",
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        found = state.get("format") if isinstance(state, dict) else type(state).__name__
        raise BadCheckpoint(
            f"The saved training state {path} has format version {found}, this program reads version {FORMAT}.",
            "Finish it with the version of ContrastiveSeg that wrote it, or delete this file to begin anew.",
        )
    return state
