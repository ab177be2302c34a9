"""Look into a NIfTI header: how long the file must be, and whether the header contradicts itself."""

from __future__ import annotations

import gzip
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.formats import has_format
from ContrastiveSegLib.file_io.header_limits import MOST_INFLATION, DeclaredSize, check_held, damaged
from ContrastiveSegLib.file_io.kept_headers import kept_while_unchanged
from ContrastiveSegLib.imaging.header_geometry import (
    CORRECT,
    leaning_note,
    leaning_voxels,
    nearest_right_angles,
)
from ContrastiveSegLib.imaging.volume import GRID_TOLERANCE_VOXELS, Geometry

HEADER_BYTES, HEADER_BYTES_2 = 348, 540
SPACE_AXES = 3

# NIfTI's codes of the floating point types, and numpy's.
FLOAT_TYPES = {16: "f4", 64: "f8"}
# Bytes per voxel by NIfTI's codes: readers go by these, whatever the header says of its bits.
BYTES_OF_TYPE = {
    2: 1, 4: 2, 8: 4, 16: 4, 32: 8, 64: 8, 128: 3, 256: 1, 512: 2, 768: 4, 1024: 8, 1280: 8, 1536: 16,
    1792: 16, 2048: 32, 2304: 4,
}  # fmt: skip

# float32 headers agree to about 1e-7; a real contradiction is far above one in a thousand.
SPACING_TOLERANCE = 1e-3

# Below a tenth of a voxel qform and sform mean the same place: quaternions round more than matrices.
PLACE_TOLERANCE_VOXELS = 0.1


@dataclass(frozen=True)
class NiftiHeader:
    """The fields of a NIfTI header that say how large the image is and where it lies (RAS).

    Args:
        dim: The number of axes, and the voxels along seven, as stored.
        size: Voxels along the first three axes.
        data_start: Where the voxels begin in the uncompressed file.
        data_end: Number of bytes the uncompressed file must have at least.
        float_type: numpy's name of the type of the voxels if they are floating point numbers, else "".
        slope: By which stored numbers are multiplied; 0 if they are not.
        pixdim: Spacing along i, j, k; its sign is dropped.
        qform: Matrix (4, 4) to RAS from the quaternion, or None when not set.
        sform: Matrix (4, 4) to RAS as stored, or None when not set.
    """

    dim: tuple[int, ...]
    size: tuple[int, int, int]
    data_start: int
    data_end: int
    float_type: str
    slope: float
    pixdim: npt.NDArray[np.float64]
    qform: npt.NDArray[np.float64] | None
    sform: npt.NDArray[np.float64] | None


def is_nifti(path: Path) -> bool:
    """Whether the name says NIfTI in one file."""
    return has_format(path.name, "nifti_header")


def open_uncompressed(path: Path) -> gzip.GzipFile:
    """Open a file that may or may not be compressed, whatever its name says."""
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if compressed else path.open("rb")  # type: ignore[return-value]


def screen(path: Path) -> DeclaredSize:
    """The size that the header declares.

    Raises:
        BadFile: The header cannot be true, or the file is too short for it.
        OSError: The file cannot be opened.
    """
    header = read_nifti_header(path)
    size = path.stat().st_size
    if header is None:
        # Analyze: how much it holds is not known here.
        return DeclaredSize(size, size, is_certain=False)
    axes, *sizes = header.dim
    if not 1 <= axes <= 7:
        raise damaged(path, f"it has {axes} dimensions")
    # ITK takes 1 for a number of voxels below: a whole volume would be one slice.
    if min(sizes[: min(axes, SPACE_AXES)]) < 1:
        raise damaged(path, f"it has {' x '.join(map(str, sizes[:axes]))} voxels")
    bytes_of_voxels = header.data_end - header.data_start
    with open_uncompressed(path) as file:
        is_compressed = isinstance(file, gzip.GzipFile)
    check_held(path, bytes_of_voxels, size, inflation=MOST_INFLATION if is_compressed else 1)
    return DeclaredSize(bytes_of_voxels, bytes_of_voxels)


@kept_while_unchanged
def read_nifti_header(path: Path) -> NiftiHeader | None:
    """Read the header; None when the file is neither NIfTI-1 nor NIfTI-2 (such files are left to SimpleITK).

    Raises:
        BadFile: The voxels begin nowhere.
        EOFError, zlib.error, OSError: The compressed stream ends or breaks within the header.
    """
    with open_uncompressed(path) as file:
        raw = file.read(HEADER_BYTES_2)
    fields = _fields_of(raw)
    if fields is None:
        return None
    dim, pixdim, (datatype, bits) = fields["dim"], fields["pixdim"], fields["type"]
    (offset,), (qform_code, sform_code) = fields["offset"], fields["codes"]
    if not math.isfinite(offset):
        raise damaged(path, f"its voxels begin at byte {offset}")
    start = max(int(offset), fields["length"])
    sizes = [max(int(n), 1) for n in dim[1 : 1 + min(max(dim[0], 0), 7)]]
    padded = [*sizes, 1, 1, 1]
    return NiftiHeader(
        dim=tuple(dim),
        size=(padded[0], padded[1], padded[2]),
        data_start=start,
        data_end=start + math.ceil(math.prod(sizes) * BYTES_OF_TYPE.get(datatype, max(bits, 0) / 8)),
        float_type=f"{fields['order']}{FLOAT_TYPES[datatype]}" if datatype in FLOAT_TYPES else "",
        slope=float(fields["slope"][0]),
        pixdim=np.abs(np.array(pixdim[1:4], dtype=float)),
        qform=_quaternion_matrix(fields["quaternion"], pixdim) if qform_code > 0 else None,
        sform=np.vstack([np.reshape(fields["rows"], (3, 4)), [0, 0, 0, 1]]) if sform_code > 0 else None,
    )


def byte_order_of(raw: bytes, length: int, magic: bytes) -> str:
    """ "<" or ">" if a header of this length and magic begins here; "" if not."""
    place = 344 if length == HEADER_BYTES else 4
    if len(raw) < length or raw[place : place + 3] != magic:
        return ""
    return next((order for order in "<>" if raw[:4] == struct.pack(f"{order}i", length)), "")


# Where NIfTI-1 and NIfTI-2 keep the same fields. Source: nifti1.h, nifti2.h.
_PLACES_1 = {
    "dim": ("8h", 40), "type": ("2h", 70), "pixdim": ("8f", 76), "offset": ("f", 108), "slope": ("f", 112),
    "codes": ("2h", 252), "quaternion": ("6f", 256), "rows": ("12f", 280),
}  # fmt: skip
_PLACES_2 = {
    "dim": ("8q", 16), "type": ("2h", 12), "pixdim": ("8d", 104), "offset": ("q", 168), "slope": ("d", 176),
    "codes": ("2i", 344), "quaternion": ("6d", 352), "rows": ("12d", 400),
}  # fmt: skip


def _fields_of(raw: bytes) -> dict[str, Any] | None:
    for length, magic, places in ((HEADER_BYTES, b"n+1", _PLACES_1), (HEADER_BYTES_2, b"n+2", _PLACES_2)):
        if order := byte_order_of(raw, length, magic):
            found = {name: struct.unpack_from(order + kind, raw, at) for name, (kind, at) in places.items()}
            return {"order": order, "length": length, **found}
    return None


def refuse_impossible(path: Path) -> None:
    """Refuse a NIfTI header whose voxels have no size or no place: SimpleITK takes 1 mm for such.

    Raises:
        BadFile: They have none.
    """
    header = read_nifti_header(path) if is_nifti(path) else None
    if header is None:
        _refuse_half_a_pair(path)
        return
    needed = [spacing for spacing, count in zip(header.pixdim, header.size, strict=True) if count > 1]
    if not all(np.isfinite(spacing) and spacing > 0 for spacing in needed):
        raise BadFile(
            f"{path} has voxels of {_millimeters(header.pixdim)} by its header, which cannot be.", CORRECT
        )
    for form in (header.qform, header.sform):
        if form is not None and not np.isfinite(form).all():
            raise BadFile(f"{path} has a header whose numbers do not describe a place.", CORRECT)


def _refuse_half_a_pair(path: Path) -> None:
    """What ITK reads without its end: Analyze, or the first of two files, under the name of a NIfTI file."""
    if not is_nifti(path):
        return
    with open_uncompressed(path) as file:
        raw = file.read(HEADER_BYTES)
    sizes = (struct.unpack_from(f"{order}i", raw)[0] for order in "<>" if len(raw) == HEADER_BYTES)
    if HEADER_BYTES in sizes:
        raise BadFile(
            f"{path} has the header of an Analyze file, or of a pair of .hdr and .img.",
            "Convert it to NIfTI in one file (.nii.gz).",
        )


def shear(path: Path) -> float:
    """How far the sform of a NIfTI file is from right angles, in voxels; 0 for other files."""
    header = read_nifti_header(path) if is_nifti(path) else None
    if header is None or header.sform is None or header.qform is not None:
        return 0.0
    columns = np.linalg.norm(header.sform[:3, :3], axis=0)
    if not (columns > 0).all():
        return np.inf
    axes = header.sform[:3, :3] / columns
    return leaning_voxels(axes, nearest_right_angles(axes), tuple(columns), header.size)


def recentered(path: Path, geometry: Geometry) -> Geometry:
    """The geometry that SimpleITK made of axes that lean a little, moved so that the middle stays put."""
    header = read_nifti_header(path) if is_nifti(path) else None
    if header is None or header.sform is None or shear(path) <= GRID_TOLERANCE_VOXELS:
        return geometry
    half = (np.array(geometry.size) - 1) / 2
    middle = (header.sform @ [*half, 1])[:3] * (-1, -1, 1)  # LPS
    origin = geometry.origin + middle - geometry.index_to_physical(half)
    return Geometry.from_lists(geometry.size, geometry.spacing, origin.tolist(), geometry.direction)


def scaling_step(path: Path) -> float:
    """The distance of two numbers that a NIfTI file of scaled whole numbers can hold; 0 for other files."""
    header = read_nifti_header(path) if is_nifti(path) else None
    if header is None or header.float_type or not np.isfinite(header.slope) or header.slope == 1:
        return 0.0
    return abs(header.slope)


def contradictions(path: Path, geometry: Geometry) -> tuple[str, ...]:
    """Notes on what a NIfTI header says twice and differently; empty for an ordinary file.

    Args:
        geometry: What SimpleITK made of the header: it decides which statement was used.
    """
    header = read_nifti_header(path) if is_nifti(path) else None
    if header is None or header.sform is None:
        return ()
    leaning = shear(path)
    notes = [leaning_note(path, leaning)] if leaning > GRID_TOLERANCE_VOXELS else []
    columns = np.linalg.norm(header.sform[:3, :3], axis=0)
    if not np.allclose(columns, header.pixdim, rtol=SPACING_TOLERANCE, atol=0):
        notes.append(
            f"{path.name}: the header contradicts itself: voxels of {_millimeters(header.pixdim)} by pixdim, "
            f"of {_millimeters(columns)} by sform. The spacing of pixdim is used; if it is wrong, every "
            f"distance and volume in mm is wrong."
        )
    if header.qform is not None:
        notes.extend(_place_notes(path, header, geometry))
    return tuple(notes)


def _place_notes(path: Path, header: NiftiHeader, geometry: Geometry) -> list[str]:
    """Say when qform and sform put the image at different places."""
    if header.qform is None or header.sform is None:
        return []
    columns = np.linalg.norm(header.sform[:3, :3], axis=0)
    scaled = header.sform.copy()
    scaled[:3, :3] *= header.pixdim / np.where(columns > 0, columns, 1)  # the spacing has its own note
    ends = np.array(np.meshgrid(*[(0, n - 1) for n in header.size])).reshape(3, -1)  # (3, 8)
    corners = np.vstack([ends, np.ones(8)])
    by_qform, by_sform = header.qform @ corners, scaled @ corners
    apart = float(np.linalg.norm(by_qform - by_sform, axis=0).max())
    if apart <= PLACE_TOLERANCE_VOXELS * header.pixdim.min():
        return []
    lps = geometry.index_to_physical(ends.T) * (-1, -1, 1)  # (8, 3), now RAS
    used = min(("qform", by_qform), ("sform", by_sform), key=lambda item: np.abs(item[1][:3].T - lps).max())[
        0
    ]
    return [
        f"{path.name}: qform and sform of the header place the image up to {apart:.1f} mm apart; "
        f"{used} is used."
    ]


def _quaternion_matrix(stored: tuple[float, ...], pixdim: tuple[float, ...]) -> npt.NDArray[np.float64]:
    """The matrix (4, 4) of a qform. Source: nifti1.h, method 2, https://nifti.nimh.nih.gov/nifti-1."""
    b, c, d, *offset = stored
    a = max(0.0, 1 - b * b - c * c - d * d) ** 0.5
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ]
    )
    matrix = np.eye(4)
    with np.errstate(invalid="ignore"):  # what is no number is refused where it matters
        matrix[:3, :3] = rotation * np.abs(pixdim[1:4]) * (1, 1, -1 if pixdim[0] < 0 else 1)
    matrix[:3, 3] = offset
    return matrix


def _millimeters(spacing: npt.NDArray[np.float64]) -> str:
    return " x ".join(f"{s:.5g}" for s in spacing) + " mm"
