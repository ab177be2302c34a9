"""What a method needs and the data may lack: found out before training, with the methods that do without."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ContrastiveSegLib.dataset.cases import Case
from ContrastiveSegLib.errors import BadFolder, BadSetting
from ContrastiveSegLib.networks.backbone import check_sides
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.preprocessing.slice_labels import slice_labels
from ContrastiveSegLib.pretraining._method import PretrainingMethod, load_method, method_names
from ContrastiveSegLib.training.slice_pairs import Flags


def check_shape(name: str, method: PretrainingMethod, patch: Sequence[int], batch: int) -> None:
    """Refuse what the method is not defined for: dimensions, patch, batch.

    Raises:
        BadSetting: Names what works.
    """
    if len(patch) not in method.dims:
        others = [n for n in method_names() if len(patch) in load_method(n).Method.dims]
        raise BadSetting(
            f"{name} is defined for slices only, not for blocks.",
            f"Choose --spatial-dims 2, or one of the methods for blocks: {', '.join(others)}.",
        )
    if batch < method.smallest_batch:
        raise BadSetting(
            f"With {batch} images per step {name} has nothing to compare an image with.",
            f"Choose --batch {method.smallest_batch} or more; 16 to 32 are usual.",
        )
    check_sides(method.network, patch, shrunk=method.shrunk())


def check_needs(
    name: str,
    needs: Sequence[str],
    cases: Sequence[Case],
    prepared: Sequence[PreparedCase],
    flags: Path | None,
) -> Flags:
    """Look for everything the method needs; returns the slice-level labels, if it needs them.

    Args:
        cases: The cases that were prepared, in the same folder.
        flags: Table or folder that the settings name.

    Raises:
        BadFolder: Something is missing.
        BadFile: The table of slice-level labels cannot be used.
    """
    if "slice positions" in needs and all(case.shape[0] == 1 for case in prepared):
        raise lacking(
            name, "slice positions", "Every case is a single slice, so its place in the body is not known."
        )
    if "scans" in needs and len(prepared) < 2:
        raise lacking(name, "scans", "There is only one case, and no other one to tell it from.")
    if "slice labels" not in needs:
        return {}
    source = flags or _common_folder(cases)
    found = slice_labels(cases, prepared, source)
    if not any(flag.any() and not flag.all() for flag in found.values()):
        raise lacking(
            name,
            "slice labels",
            f"No case in {source} says which of its slices show the organ and which do not.",
            "Put a table slices.csv (case,slice,organ) beside the images, or name it, or a folder with "
            "labeled cases, with --slice-labels. PolyCL with --selection S needs no flags, but learns only "
            "what tells one scan from another.",
        )
    return found


def lacking(name: str, need: str, what: str, remedy: str = "") -> BadFolder:
    """The error for data that lack something a method needs, with the methods that do without."""
    others = [n for n in method_names() if need not in _needs(n)]
    return BadFolder(
        f"{name} cannot learn from these data. {what}",
        f"{remedy} Methods that do without: {', '.join(others)}.".strip(),
    )


def _needs(name: str) -> tuple[str, ...]:
    module = load_method(name)
    needs: tuple[str, ...] = module.Method.needs_of(module.Settings())
    return needs


def _common_folder(cases: Sequence[Case]) -> Path:
    """The folder of the images: of images/ the one above, where labels/ and slices.csv lie."""
    folder = cases[0].images[0].parent
    return folder.parent if folder.name.lower() in ("images", "imagestr") else folder
