"""The grids of many images, asked for in batches: each question to the reading process waits its turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ContrastiveSegLib.file_io.file_names import split_suffix
from ContrastiveSegLib.file_io.files import read_geometry
from ContrastiveSegLib.file_io.reader import in_reader_process, limit_memory_for
from ContrastiveSegLib.imaging.volume import Geometry

# So many headers are read in a moment, and whoever waits sees how far it is.
BATCH = 32

Image = tuple[Sequence[Path], bool]


def read_geometries(images: Sequence[Image]) -> Iterator[Geometry | None]:
    """The grid of each image, in their order; None where `read_geometry` has to be asked, which says why.

    Args:
        images: Files of an image, and whether the fourth axis of a 4D file counts channels.
    """
    for start in range(0, len(images), BATCH):
        batch = images[start : start + BATCH]
        # Series of DICOM are folders full of headers, which take long, each with a limit of its own.
        quick = [number for number, (paths, _) in enumerate(batch) if split_suffix(paths[0].name)[1]]
        found: list[Geometry | None] = [None] * len(batch)
        for number, geometry in zip(quick, _attempted([batch[number] for number in quick]), strict=True):
            found[number] = geometry
        yield from found


def _attempted(batch: Sequence[Image]) -> Sequence[Geometry | None]:
    try:
        # As text: the limits are those of each file, not of all together.
        return read_batch([([str(path) for path in paths], last) for paths, last in batch]) if batch else ()
    except Exception:  # one of them ended the process that read it; which one, is found out one by one
        return [None] * len(batch)


@in_reader_process
def read_batch(images: Sequence[tuple[Sequence[str], bool]]) -> list[Geometry | None]:
    """The grid of each image whose header can be read."""
    return [_geometry([Path(name) for name in names], last) for names, last in images]


def _geometry(paths: Sequence[Path], last_axis_is_channels: bool) -> Geometry | None:
    try:
        limit_memory_for(paths)
        return read_geometry(paths, last_axis_is_channels=last_axis_is_channels)
    except Exception:  # whoever asks for this one alone gets the reason
        return None
