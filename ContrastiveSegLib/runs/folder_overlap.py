"""Where a run folder may lie: apart from the data it reads and from where results go."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.runs import run_names
from ContrastiveSegLib.runs.run_folder import RunFolder

# Rooms of a run in which data may lie: what a person annotated, and what the panel brings from the scene.
OF_DATA = (run_names.ANNOTATIONS, run_names.PANEL)
# Rooms that belong to the jobs alone.
OF_JOBS = (run_names.PREPARED, run_names.PRETRAIN, run_names.FINETUNE, run_names.PREDICTIONS)


# The settings that name folders of data.
DATA_SETTINGS = ("images", "labeled", "extra_labeled", "unlabeled")


def remarks_on_places(run: Path, settings: object) -> tuple[str, ...]:
    """Refuse a run folder that would mix with the data; say where it lies close to them.

    Args:
        settings: Of a job: the folders of data and of results that it names are looked at.

    Raises:
        BadSetting: Files of the run would lie among the data, or results among the files of the run.
    """
    named = {name: getattr(settings, name, None) for name in DATA_SETTINGS}
    given = {name: folder for name, folder in named.items() if folder not in (None, "", "none")}
    data = {f"--{name.replace('_', '-')}": Path(folder) for name, folder in given.items()}
    remarks = [_remark_on_data(run, flag, folder) for flag, folder in data.items()]
    output = getattr(settings, "output", None)
    if isinstance(output, Path):
        remarks += [_remark_on_output(run, output), *_remarks_beside(output, data)]
    prepared = getattr(settings, "prepared", None)
    if isinstance(prepared, Path):
        _check_prepared(run, prepared, data)
    return tuple(remark for remark in remarks if remark)


def _remark_on_data(run: Path, flag: str, folder: Path) -> str:
    inner, outer = folder.resolve(), run.resolve()
    if _are_one(inner, outer):
        raise BadSetting(
            f"The run folder {run} is also the folder of {flag}; files of both would lie in one place.",
            f"Choose a new folder for the run; its annotations lie in {RunFolder(run).annotations}.",
        )
    if above := _inside(inner, outer):
        top = inner.relative_to(above).parts[0]
        if top in OF_JOBS:
            raise BadSetting(
                f"{flag} {folder} is a folder that the run {run} writes for itself.",
                "Name the folder that holds your data.",
            )
        if top not in OF_DATA:
            return (
                f"{flag} {folder} lies inside the run folder {run}. It is neither deleted nor exported "
                "with the run; better keep both apart."
            )
    if _inside(outer, inner):
        _refuse_folder_of_data(run, flag, folder)
        return f"The run folder {run} lies inside {flag} {folder}; what it holds is not taken for data."
    return ""


def _remark_on_output(run: Path, output: Path) -> str:
    inner, outer = output.resolve(), run.resolve()
    if _are_one(inner, outer):
        return f"--output {output} is the run folder itself; results belong in {RunFolder(run).predictions}."
    above = _inside(inner, outer)
    top = inner.relative_to(above).parts[:1] if above else ()
    if top and top[0] != run_names.PREDICTIONS and top[0] in (*OF_JOBS, *OF_DATA):
        raise BadSetting(
            f"--output {output} is where the run {run} keeps files of its own.",
            f"Choose another folder, such as {RunFolder(run).predictions}.",
        )
    if _inside(outer, inner):
        return f"The run folder {run} lies inside --output {output}; better keep both apart."
    return ""


def _check_prepared(run: Path, prepared: Path, data: Mapping[str, Path]) -> None:
    """Refuse to mix prepared scans with other files, because the folder may be deleted at any time.

    Raises:
        BadSetting: It is the run folder, one that the run keeps for something else, or one of the data.
    """
    place, top = prepared.resolve(), run.resolve()
    of_run = [top, *(top / name for name in (*OF_JOBS, *OF_DATA) if name != RunFolder(run).prepared.name)]
    taken = {f"the run {run}": of_run, **{flag: [folder.resolve()] for flag, folder in data.items()}}
    for whose, folders in taken.items():
        if any(_are_one(place, folder) for folder in folders):
            raise BadSetting(
                f"--prepared {prepared} is also a folder of {whose}; files of both would lie in one place.",
                "Choose a folder that holds nothing else.",
            )


def _remarks_beside(output: Path, data: Mapping[str, Path]) -> list[str]:
    """Results among the images are what people like to see, and not what they mean to teach."""
    place = output.resolve()
    return [
        f"--output {output} lies within {flag} {folder}: what is written there is marked as predicted, and "
        "is taken for an annotation only once somebody has corrected it, or saved it into another folder."
        for flag, folder in data.items()
        if _are_one(folder.resolve(), place) or _inside(place, folder.resolve())
    ]


def _refuse_folder_of_data(run: Path, flag: str, folder: Path) -> None:
    """Refuse a part of the data as a new run folder: its files would not count as data any more.

    Raises:
        BadSetting: It holds files, and is no run.
    """
    if RunFolder(run).exists or not run.is_dir():
        return
    if any(not path.name.startswith(".") for path in run.iterdir()):
        raise BadSetting(
            f"The run folder {run} is a folder of {flag} {folder} that holds other files; files of both "
            "would lie in one place.",
            "Choose a new folder for the run.",
        )


def _inside(inner: Path, outer: Path) -> Path | None:
    """How the folder `outer` is spelled among the folders above `inner`; None if it is none of them."""
    return next((above for above in inner.parents if _are_one(above, outer)), None)


def _are_one(one: Path, other: Path) -> bool:
    """Whether two paths lead to one folder, also where a disk takes capitals and small letters for one."""
    try:
        return one == other or one.samefile(other)
    except OSError:  # one of them is not there
        return False
