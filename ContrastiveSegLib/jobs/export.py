"""Export a run: as one file, or in the form that another program reads."""

from __future__ import annotations

from ContrastiveSegLib.errors import BadFolder
from ContrastiveSegLib.imaging.case_errors import LostCases
from ContrastiveSegLib.registry import load_entry
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.session.reporter import working
from ContrastiveSegLib.settings.job_settings import ExportSettings
from ContrastiveSegLib.settings.places import refuse_file

INTO_FOLDERS = ("nnunet-raw", "dicom-seg", "monai-bundle")


def run(settings: ExportSettings) -> LostCases:
    """Write the run in the form that was asked for, and say where it is.

    Returns:
        How many of the cases were lost.

    Raises:
        ContrastiveSegError: Whatever the user can mend.
    """
    folder = RunFolder(settings.run)
    if not folder.exists:
        raise BadFolder(f"{settings.run} is no run folder.", "Name the folder that a job has written into.")
    if settings.to in INTO_FOLDERS:
        refuse_file(settings.output)
    module = load_entry("exporting", settings.to.replace("-", "_"), what="format to export to")
    with working(folder, "export", settings, may_only_read=True) as reporter:
        exported = module.export(folder, settings, reporter)
        reporter.info(exported.words, kind="result", file=str(exported.path))
        lost: LostCases = exported.lost
        return lost
