"""Read dataset.json of nnU-Net and the Medical Segmentation Decathlon: structures and channels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ContrastiveSegLib.errors import BadFile, BadSetting
from ContrastiveSegLib.imaging.colors import colors_for
from ContrastiveSegLib.imaging.label_values import IGNORE
from ContrastiveSegLib.imaging.labels import LabelTable, Structure, same_name

DATASET_FILE = "dataset.json"
# What values of other kinds than anybody expects lead to.
_ODD = (
    ArithmeticError, AttributeError, BadSetting, LookupError, RecursionError, TypeError, ValueError,
)  # fmt: skip


@dataclass(frozen=True)
class DatasetFile:
    """What dataset.json says.

    Args:
        table: The structures; None when it names none.
        channels: Channels per case; 0 when it does not say.
        ignored: The value of voxels about which the labels say nothing, nnU-Net's label "ignore"; or None.
    """

    table: LabelTable | None = None
    channels: int = 0
    ignored: int | None = None


def read_dataset_file(path: Path) -> DatasetFile:
    """Read dataset.json in the form of the Decathlon and nnU-Net 1 or in that of nnU-Net 2.

    Raises:
        BadFile: It is not JSON, or its labels cannot be understood.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
        names = _names_by_value(data.get("labels") or {})
        ignored = next((value for value, name in names.items() if same_name(name, IGNORE)), None)
        names.pop(ignored or 0, None)
        channels = len(data.get("channel_names") or data.get("modality") or ())
        named = sorted(names.items())
        colors = colors_for([(name, "") for _, name in named])
        table = LabelTable(tuple(Structure(*s, color) for s, color in zip(named, colors, strict=True)))
    except (OSError, *_ODD) as error:
        raise BadFile(
            f"{path} cannot be understood: {error}",
            "Correct it, or remove it; the structures are then numbered.",
        ) from error
    return DatasetFile(table if names else None, channels, ignored)


def _names_by_value(labels: Mapping[str, Any]) -> dict[int, str]:
    """Turn {"1": "liver"}, {"liver": 1} or {"tumor": [1, 2], "core": [2]} into {1: ...}, no background.

    A value that several regions of nnU-Net share is the rest of the smallest of them.
    """
    names: dict[int, str] = {}
    regions: dict[str, set[int]] = {}
    for key, content in labels.items():
        if isinstance(content, str) and not (content.isdecimal() and not key.isdecimal()):
            names[int(key)] = content
        elif isinstance(content, list) and len(content) > 1:
            regions[key] = {int(value) for value in content}
        else:
            names[int(content[0] if isinstance(content, list) else content)] = key
    unnamed = sorted(set().union(*regions.values()) - set(names))
    by_size = sorted(regions, key=lambda region: len(regions[region]))
    rests = {value: next(region for region in by_size if value in regions[region]) for value in unnamed}
    for value, region in rests.items():
        is_only = list(rests.values()).count(region) == 1
        names[value] = f"rest of {region}" if is_only else f"structure {value}"
    names.pop(0, None)
    return names
