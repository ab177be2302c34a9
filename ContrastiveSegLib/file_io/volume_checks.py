"""What makes a file no volume that can be worked with: 2D, an axis of time, several volumes, no contrast."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.nrrd_header import has_axis_of_frames
from ContrastiveSegLib.file_io.opening import header_text


def check_dimension(path: Path, size: Sequence[int], last_axis_is_channels: bool) -> None:
    """Refuse everything but 3D; axes of length one beyond the third do not count."""
    shown = " x ".join(map(str, size))
    if len(size) < 3:
        raise BadFile(
            f"{path} is a 2D image ({shown}), not a volume.", "Use a volume, or leave this file out."
        )
    beyond = [n for n in size[3:] if n > 1]
    if beyond and not (last_axis_is_channels and len(size) == 4):
        raise BadFile(
            f"{path} has {len(size)} dimensions ({shown}): it is a time series or has several volumes.",
            "Save each volume as a 3D file of its own; channels of one case may be given as separate files.",
        )


def contrast_notes(array: npt.NDArray[np.float32], paths: Sequence[Path]) -> tuple[str, ...]:
    """Note the channels without contrast, and an image that is a mask; one of nothing else cannot be used."""
    constant = [c for c, channel in enumerate(array) if channel.min() == channel.max()]
    if len(constant) == len(array):
        raise BadFile(
            f"{', '.join(map(str, paths))} is constant: every voxel has the value {array.flat[0]:g}.",
            "Export the image again, or leave this case out.",
        )
    if len(array) == 1 and _holds_two_values(array[0]):
        return (
            f"{paths[0].name}: it holds two values alone, as a mask does. If it shows a structure, put it "
            f"into a folder called 'segmentations' beside its image.",
        )
    if len(paths) == len(array):
        return tuple(f"{paths[c].name}: this channel is constant." for c in constant)
    return tuple(f"{paths[0].name}: channel {c + 1} of {len(array)} is constant." for c in constant)


def _holds_two_values(channel: npt.NDArray[np.float32]) -> bool:
    low, high = channel.min(), channel.max()
    return all(bool(((plane == low) | (plane == high)).all()) for plane in channel)


def refuse_sequence(path: Path, image: sitk.Image | sitk.ImageFileReader) -> None:
    """Refuse an axis of time, and what Slicer saved as a sequence: its frames would be read as channels."""
    if any(header_text(image, f"NRRD_kinds[{axis}]") == "time" for axis in range(3)):
        raise BadFile(
            f"{path} has an axis of time: it is a time series, and no volume.",
            "Save each time as a file of its own; if it is a volume, correct 'kinds' in the header.",
        )
    if isinstance(image, sitk.ImageFileReader):
        frames = image.GetNumberOfComponents()
    else:
        frames = image.GetNumberOfComponentsPerPixel()
    is_named = path.name.lower().endswith((".seq.nrrd", ".seq.nhdr"))
    if frames > 1 and (is_named or has_axis_of_frames(path)):
        raise BadFile(
            f"{path} is a sequence of {frames} volumes: it is a time series or has several phases.",
            "Save each volume as a file of its own (in Slicer: Sequences, then save the proxy node).",
        )
