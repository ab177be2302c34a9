"""List the cases of a folder in a process of its own, line by line, for a window that must not wait.

`python -m ContrastiveSegLib.slicer_bridge.case_listing list --settings FILE`. A slow disk, ten thousand files
or a file that crashes its reader then cost the window nothing. Needs no torch.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from ContrastiveSegLib.dataset.annotations import read_annotation
from ContrastiveSegLib.dataset.cases import Case, CaseList, LeftOut, find_cases
from ContrastiveSegLib.errors import ContrastiveSegError
from ContrastiveSegLib.file_io.dicom import is_dicom
from ContrastiveSegLib.file_io.dicom_labels import label_table
from ContrastiveSegLib.file_io.files import read_geometry
from ContrastiveSegLib.file_io.headers import read_geometries
from ContrastiveSegLib.imaging.grid import count_slices, derive_grid
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.imaging.volume import Geometry

# Kinds of lines, in the order in which they come.
CASE, LEFT_OUT, FOUND, GEOMETRY, UNREADABLE, GRID, TABLE, ERROR, END = (
    "case", "left_out", "found", "geometry", "unreadable", "grid", "table", "error", "end",
)  # fmt: skip
FLUSH_S = 0.1


class Listing:
    """Writes lines where the window reads them.

    Args:
        stream: Opened for writing.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._flushed = stream, 0.0

    def log_event(self, kind: str, **facts: Any) -> None:
        """One line; the file sees it soon."""
        self._stream.write(json.dumps({"kind": kind, **facts}, ensure_ascii=False) + "\n")
        if time.monotonic() - self._flushed > FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """The file sees it now."""
        self._stream.flush()
        self._flushed = time.monotonic()


def list_folder(folder: Path, listing: Listing) -> None:
    """Tell the cases, then what their headers say, then what follows from all of them together.

    Raises:
        BadFolder: There is no such folder, or nothing in it.
    """
    found = find_cases(folder)
    for case in found.cases:
        listing.log_event(CASE, **_case_to_json(case))
    for out in found.left_out:
        if not out.by_choice:
            listing.log_event(LEFT_OUT, path=str(out.path), reason=out.reason)
    listing.log_event(FOUND, cases=len(found.cases))
    listing.flush()
    geometries = {}
    grids = read_geometries([(case.images, case.last_axis_is_channels) for case in found.cases])
    for case, known in zip(found.cases, grids, strict=True):
        try:
            channels = case.last_axis_is_channels
            geometry = known or read_geometry(case.images, last_axis_is_channels=channels)
        except Exception as error:  # whatever a header does to its reader, it is one case
            listing.log_event(UNREADABLE, name=case.name, reason=_in_words(error))
            continue
        geometries[case.name] = geometry
        listing.log_event(GEOMETRY, name=case.name, **vars(geometry))
    if geometries:
        listing.log_event(GRID, **_grid(list(geometries.values())))
    table = _table(found)
    if table is not None:
        listing.log_event(TABLE, table=table.to_json())


def case_from_json(facts: Mapping[str, Any]) -> Case:
    """A case as list_folder() told it."""
    labels, scribbles = (facts[key] and Path(facts[key]) for key in ("labels", "scribbles"))
    return Case(
        name=facts["name"],
        images=tuple(Path(path) for path in facts["images"]),
        labels=labels,
        scribbles=scribbles,
        patient=facts["patient"],
        last_axis_is_channels=facts["last_axis_is_channels"],
        ignored=facts["ignored"],
    )


def left_out_from_json(facts: Mapping[str, Any]) -> LeftOut:
    """A file that is not used, as list_folder() told it."""
    return LeftOut(Path(facts["path"]), facts["reason"])


def geometry_from_json(facts: Mapping[str, Any]) -> Geometry:
    """A grid as list_folder() told it."""
    return Geometry.from_lists(facts["size"], facts["spacing"], facts["origin"], facts["direction"])


def _case_to_json(case: Case) -> dict[str, Any]:
    paths = {key: str(path) if (path := getattr(case, key)) else None for key in ("labels", "scribbles")}
    images = [str(path) for path in case.images]
    facts = {key: getattr(case, key) for key in ("patient", "last_axis_is_channels", "ignored")}
    return {"name": case.name, "images": images, **paths, **facts}


def _grid(geometries: Sequence[Geometry]) -> dict[str, Any]:
    """What the jobs will derive from these headers, by the same rule."""
    grid = derive_grid(geometries)
    return {"plane": grid.plane, "slices": count_slices(geometries, grid)}


def _table(found: CaseList) -> LabelTable | None:
    """The structures that dataset.json names, else those of the first label file that can be read."""
    if found.table is not None:
        return found.table
    for case in found.cases:
        if case.labels is not None:
            try:
                is_named = is_dicom(case.labels)  # filling contours takes packages that Slicer lacks
                return label_table(case.labels) if is_named else read_annotation(case.labels, case).table
            except Exception:  # the job that needs the file says what is wrong with it
                continue
    return None


def _in_words(error: Exception) -> str:
    if isinstance(error, ContrastiveSegError):
        return str(error)
    said = str(error).strip().splitlines() or [type(error).__name__]
    reason = getattr(error, "strerror", None) or said[-1]
    name = getattr(error, "filename", None)
    return f"{name}: {reason}" if name else reason


def main(words: Sequence[str]) -> int:
    """`list --settings FILE`, with `folder` and `listing`, the file to write, under "list"."""
    order = json.loads(Path(words[2]).read_text(encoding="utf-8"))[words[0]]
    folder = Path(order["folder"])
    with Path(order["listing"]).open("w", encoding="utf-8") as stream:
        listing = Listing(stream)
        try:
            list_folder(folder, listing)
        except ContrastiveSegError as error:
            listing.log_event(ERROR, text=str(error))
        except Exception as error:  # the user of the window must hear of it, whatever it is
            traceback.print_exc()
            listing.log_event(
                ERROR, text=f"The folder {folder} cannot be looked through: {_in_words(error)}."
            )
        listing.log_event(END)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
