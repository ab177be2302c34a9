"""What of a run folder the program wrote and knows by name; everything else in it is somebody's own."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ContrastiveSegLib.program_identity import RUN_MARKER
from ContrastiveSegLib.runs.model_folder import ModelFolder
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.runs.run_names import FINETUNE, SELF_TRAINING
from ContrastiveSegLib.runs.temporary_files import is_leftover

_HERE = RunFolder(Path())
_MODEL = ModelFolder(Path())
_OF_A_STAGE = (_MODEL.environment, _MODEL.cases, _MODEL.labels)
_AT_THE_TOP = (
    _HERE.settings,
    *_OF_A_STAGE,  # of runs of version 0.1
    _HERE.events,
    _HERE.log,
    _HERE.cancel_request,
    _HERE.lock_file,
    *(_HERE.suggestions(suffix=suffix) for suffix in ("csv", "json", "png")),
    _HERE.case_results("suggest"),
    Path(RUN_MARKER),
)
_BESIDE_RESULTS = (
    _HERE.case_results("predict", folder=_HERE.predictions),
    *(_HERE.summary(suffix=suffix) for suffix in ("csv", "json")),
    _HERE.case_results("refine", folder=_HERE.refined),
)
_OF_A_MODEL = (
    *(_MODEL.weights, _MODEL.model, _MODEL.last, _MODEL.metrics, _MODEL.settings, _MODEL.pseudo_label_table),
    *_OF_A_STAGE,
)
# What the panel in 3D Slicer puts down for its jobs: orders, output, and copies of volumes of the scene.
_OF_THE_PANEL = (
    r"[^/]+\.json|[^/]+\.output\.txt|input/([^/]+)/\1\.nrrd|(scene/images|propagated)/[^/]+\.(nrrd|csv)"
)


def _any_of(paths: tuple[Path, ...]) -> str:
    return "|".join(re.escape(path.as_posix()) for path in paths)


_CASE_RESULTS = tuple(_HERE.case_results(job) for job in ("predict", "refine"))
_KNOWN = re.compile(
    rf"(?:{_any_of((*_AT_THE_TOP, *_BESIDE_RESULTS))})"
    rf"|(?:{_HERE.pretrain}|{FINETUNE}/\d+(?:/{SELF_TRAINING}/\d+)?)/(?:{_any_of(_OF_A_MODEL)})"
    rf"|{FINETUNE}/\d+/{SELF_TRAINING}/\d+/pseudo_labels/"
    r"(?:\d{5}(?:-certain)?|drawn-\d{5})\.(?:npy|json)"
    rf"|{_HERE.prepared}/[^/]+-[0-9a-f]{{12}}(?:\.\w+)*"
    rf"|{_HERE.panel}/(?:{_OF_THE_PANEL})"
    rf"|(?:{_HERE.predictions}|{_HERE.refined})/(?:{_any_of(_CASE_RESULTS)})"
)


@dataclass(frozen=True)
class Contents:
    """The files and links in a run folder.

    Args:
        own: What the program wrote.
        others: What it does not know; never deleted and never exported.
    """

    own: tuple[Path, ...]
    others: tuple[Path, ...]


def contents(run: RunFolder, is_ours: Callable[[Path], bool]) -> Contents:
    """Tell what the program wrote into a run folder from what somebody else put there.

    Args:
        is_ours: Asked about the files whose names are those of cases: in predictions and annotations.
    """
    own: list[Path] = []
    others: list[Path] = []
    for path in _everything(run.path):
        inside = path.relative_to(run.path).as_posix()
        known = _KNOWN.fullmatch(inside) or is_leftover(path) or is_ours(path)
        (own if known else others).append(path)
    return Contents(tuple(own), tuple(others))


def _everything(folder: Path) -> Iterator[Path]:
    """Every file below a folder, and every link as itself: what it leads to lies elsewhere."""
    for parent, folders, names in os.walk(folder):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        folders[:] = sorted(set(folders) - set(links))
        yield from (Path(parent, name) for name in sorted([*names, *links]))
