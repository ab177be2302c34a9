"""One zip file with all of a run, for this program on another computer."""

from __future__ import annotations

from ContrastiveSegLib.exporting._format import Exported
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.session.reporter import Reporter
from ContrastiveSegLib.settings.job_settings import ExportSettings
from ContrastiveSegLib.slicer_bridge.run_archive import export_run


def export(run: RunFolder, settings: ExportSettings, _reporter: Reporter) -> Exported:
    """Write the run into a new file, or into a file of its name in a folder that exists.

    Raises:
        BadFolder: This is no run folder.
        CannotWrite: The file exists, or the disk refuses.
    """
    output = settings.output
    file = output / f"{run.path.resolve().name}.zip" if output.is_dir() else output
    export_run(run, file)
    return Exported(file, f"The run is in {file}. Import it with the panel, or unpack it.")
