"""Where a run folder may lie: apart from the data it reads and from where results go."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.runs.run_folder import RunFolder

# Rooms of a run in which data may lie: what a person annotated, and what the panel brings from the scene.
OF_DATA = ("annotations", "panel")
# Rooms that belong to the jobs alone.
OF_JOBS = ("prepared", "pretrain", "finetune", "predictions")


# The settings that name folders of data.
DATA_SETTINGS = ("images", "labeled", "also", "unlabeled")


def remarks_on_places(run: Path, settings: object) -> tuple[str, ...]:
    """Refuse a run folder that would mix with the data; say where it lies close to them.

    Args:
        settings: Of a job: the folders of data and of results that it names are looked at.

    Raises:
        BadSetting: Files of the run would lie among the data, or results among the files of the run.
    """
    named = {name: getattr(settings, name, None) for name in DATA_SETTINGS}
    data = {name: Path(folder) for name, folder in named.items() if folder not in (None, "", "none")}
    remarks = [_remark_on_data(run, name, folder) for name, folder in data.items()]
    output = getattr(settings, "output", None)
    if isinstance(output, Path):
        remarks += [_remark_on_output(run, output), *_remarks_beside(output, data)]
    return tuple(remark for remark in remarks if remark)


def _remark_on_data(run: Path, name: str, folder: Path) -> str:
    inner, outer = folder.resolve(), run.resolve()
    if inner == outer:
        raise BadSetting(
            f"The run folder {run} is also the folder of --{name}; files of both would lie in one place.",
            f"Choose a new folder for the run; its annotations lie in {RunFolder(run).annotations}.",
        )
    if outer in inner.parents:
        top = inner.relative_to(outer).parts[0]
        if top in OF_JOBS:
            raise BadSetting(
                f"--{name} {folder} is a folder that the run {run} writes for itself.",
                "Name the folder that holds your data.",
            )
        if top not in OF_DATA:
            return (
                f"--{name} {folder} lies inside the run folder {run}. It is neither deleted nor exported "
                "with the run; better keep both apart."
            )
    if inner in outer.parents:
        return f"The run folder {run} lies inside --{name} {folder}; what it holds is not taken for data."
    return ""


def _remark_on_output(run: Path, output: Path) -> str:
    inner, outer = output.resolve(), run.resolve()
    if inner == outer:
        return f"--output {output} is the run folder itself; results belong in {RunFolder(run).predictions}."
    top = inner.relative_to(outer).parts[:1] if outer in inner.parents else ()
    if top and top[0] != "predictions" and top[0] in (*OF_JOBS, *OF_DATA):
        raise BadSetting(
            f"--output {output} is where the run {run} keeps files of its own.",
            f"Choose another folder, such as {RunFolder(run).predictions}.",
        )
    if inner in outer.parents:
        return f"The run folder {run} lies inside --output {output}; better keep both apart."
    return ""


def _remarks_beside(output: Path, data: Mapping[str, Path]) -> list[str]:
    """Results among the images are what people like to see, and not what they mean to teach."""
    place = output.resolve()
    return [
        f"--output {output} lies within --{name} {folder}: what is written there is marked as predicted, and "
        "is taken for an annotation only once somebody has saved it again."
        for name, folder in data.items()
        if folder.resolve() in (place, *place.parents)
    ]
