"""Read a DICOM file of many frames (enhanced CT, MR, PET): sorted by place, each with its own scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.parsed_dicom import parse
from ContrastiveSegLib.imaging.volume import Geometry

Floats = npt.NDArray[np.float64]

EXPORT = "Export the original series from the scanner or PACS."
# Pixels of two frames whose sizes differ by less are equally large.
SAME_SPACING = 1e-3
HEADER = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "NumberOfFrames")


@dataclass(frozen=True)
class Frames:
    """What the header says of each frame, in the order of the file.

    Args:
        positions: (N, 3) of the first voxels, LPS, mm.
        planes: (N, 6) directions of rows and columns.
        spacing: (N, 2) between columns and between rows, in mm.
        scales: (N, 2) slope and intercept of the stored numbers.
        stacks: How many stacks they are counted to.
        thickness: Of a frame with the gap to the next, in mm; 0 if it is not given.
    """

    positions: Floats
    planes: Floats
    spacing: Floats
    scales: Floats
    stacks: int = 1
    thickness: float = 0.0


def read_frames(path: Path) -> Frames | None:
    """What the header says of each frame; None for a file of frames that have no place, such as a film.

    Raises:
        BadFile: The header is damaged, or frames lack their place.
    """
    header = _parsed(path, lambda: parse(path, stop_before_pixels=True, specific_tags=[*HEADER]))
    per_frame: Sequence[Any] = header.get("PerFrameFunctionalGroupsSequence") or ()
    if not per_frame:
        return None
    shared = (header.get("SharedFunctionalGroupsSequence") or [{}])[0]

    def of_each(length: int, group: str, *keys: str, default: Sequence[float] = ()) -> Floats:
        read = _parsed(path, lambda: [_values(frame, shared, group, keys, default) for frame in per_frame])
        silent = sum(len(values) != length for values in read)
        if silent:
            which = f"its {silent}" if silent == len(read) else f"{silent} of its {len(read)}"
            raise BadFile(f"{path} does not say where {which} frames lie in the patient.", EXPORT)
        return np.array(read, float)

    frames = Frames(
        of_each(3, "PlanePositionSequence", "ImagePositionPatient"),
        of_each(6, "PlaneOrientationSequence", "ImageOrientationPatient"),
        of_each(2, "PixelMeasuresSequence", "PixelSpacing")[:, ::-1],
        of_each(
            2, "PixelValueTransformationSequence", "RescaleSlope", "RescaleIntercept", default=(1.0, 0.0)
        ),
        len({_stack(frame) for frame in per_frame}),
        _parsed(path, lambda: _thickness(per_frame[0], shared)),
    )
    _check_pixels(path, frames.spacing)
    return frames


def _check_pixels(path: Path, spacing: Floats) -> None:
    if not ((spacing > 0) & (spacing < math.inf)).all():
        raise BadFile(f"{path} has frames with pixels of a size that cannot be.", EXPORT)
    if not np.allclose(spacing, spacing[0], rtol=SAME_SPACING, atol=0):
        raise BadFile(
            f"{path} has frames with pixels of different sizes, {spacing.min():g} to {spacing.max():g} mm.",
            "Export frames that were taken alike as a series of their own.",
        )


def sorted_frames(path: Path, image: sitk.Image, frames: Frames, order: npt.NDArray[Any]) -> sitk.Image:
    """The voxels that were read from the file, with the frames in this order and each with its own scale."""
    array = sitk.GetArrayFromImage(image)
    if len(array) != len(frames.positions):
        raise BadFile(f"{path} holds {len(array)} frames, but describes {len(frames.positions)}.", EXPORT)
    if not np.array_equal(frames.scales, frames.scales[:1].repeat(len(array), axis=0)):
        array = _scaled(path, frames.scales)
    geometry = frames_geometry(frames, order)
    sorted_image = sitk.GetImageFromArray(array[order])
    sorted_image.SetSpacing(geometry.spacing)
    sorted_image.SetOrigin(geometry.origin)
    sorted_image.SetDirection(geometry.direction)
    return sorted_image


def frames_geometry(frames: Frames, order: npt.NDArray[Any], size: Sequence[int] = (1, 1)) -> Geometry:
    """The grid of frames in this order, as if they were evenly spaced.

    Args:
        size: Columns and rows.
    """
    row, column = frames.planes[order[0], :3], frames.planes[order[0], 3:]
    normal = np.cross(row, column)
    first, last = frames.positions[order[0]], frames.positions[order[-1]]
    apart = float((last - first) @ normal) / max(len(order) - 1, 1)
    return Geometry.from_lists(
        (*size, len(order)),
        (*frames.spacing[order[0]].tolist(), apart or 1.0),
        first.tolist(),
        np.stack([row, column, normal], axis=1).ravel().tolist(),
    )


def _scaled(path: Path, scales: Floats) -> npt.NDArray[np.float32]:
    """The stored numbers with the scale of each frame: SimpleITK uses that of the first for all."""
    stored = _parsed(path, lambda: parse(path).pixel_array)
    slopes, intercepts = scales.T[:, :, None, None]
    scaled: npt.NDArray[np.float32] = (stored * slopes + intercepts).astype(np.float32)
    return scaled


def _values(
    frame: Any, shared: Any, group: str, keys: Sequence[str], default: Sequence[float]
) -> Sequence[float]:
    """The numbers of a functional group, of the frame itself or of all frames."""
    for source in (frame, shared):
        if items := source.get(group):
            values = [items[0].get(key) for key in keys]
            numbers = np.ravel([value for value in values if value is not None]).astype(float)
            if numbers.size:
                return [float(number) for number in numbers]
    return default


def _thickness(frame: Any, shared: Any) -> float:
    """As far as the frames should be apart."""
    keys = ("SpacingBetweenSlices", "SliceThickness")
    return max(map(abs, _values(frame, shared, "PixelMeasuresSequence", keys, (0.0,))))


def _stack(frame: Any) -> str:
    """The name of the stack that a frame belongs to; "" where none is given."""
    items = frame.get("FrameContentSequence") or [{}]
    return str(items[0].get("StackID") or "").strip()


def _parsed(path: Path, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Exception as error:  # pydicom raises whatever a damaged value leads to
        raise BadFile(
            f"{path} cannot be understood as DICOM of several frames: {type(error).__name__}: {error}.",
            EXPORT,
        ) from error
