"""The run folder: its size; open, export, import and delete it; export results."""

import shutil
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from ContrastiveSegLib.errors import ContrastiveSegError
from ContrastiveSegLib.slicer_bridge import run_archive
from ContrastiveSegLib.slicer_bridge.engine import Engine

from . import export_formats, job_words, state_line
from .run_state import freeName
from .step import Step

SHOWN_FILES = 8


class ResultsBox(Step):
    """Buttons below the last step."""

    def __init__(self, panel) -> None:
        super().__init__(panel, panel.ui.runInfo)
        self._sized: tuple = (None, "")  # when the size was asked for, and what it was
        ui = self.ui
        ui.openRunButton.connect("clicked()", self.onOpen)
        ui.exportResultsButton.connect("clicked()", self.onExportResults)
        ui.exportRunButton.connect("clicked()", self.onExport)
        for one in export_formats.formats():
            ui.exportFormat.addItem(one.caption, one.name)
        ui.exportFormat.connect("currentIndexChanged(int)", lambda _index: self.refresh())
        ui.importRunButton.connect("clicked()", self.onImport)
        ui.deleteRunButton.connect("clicked()", self.onDelete)

    def refresh(self) -> None:
        panel, ui = self.panel, self.ui
        run = panel.run
        noRun = "" if run is not None and run.path.is_dir() else _("There is no run folder yet.")
        noModel = noRun or ("" if run.exists else _("Nothing was learned in this run folder yet."))
        noResult = "" if panel.state.predicted else _("There are no predictions yet.")
        state_line.allow(ui.openRunButton, noRun, _("Shows the folder in the file manager"))
        state_line.allow(ui.exportResultsButton, noResult, _("Copies the predictions to another folder"))
        state_line.allow(ui.exportRunButton, self._whyNoExport(noRun, noModel, noResult), self._format().tip)
        state_line.allow(ui.importRunButton, panel.why_not(), _("Unpacks a run from a zip file"))
        state_line.allow(
            ui.deleteRunButton,
            panel.why_not(noModel),
            _("Delete what the program wrote into this run folder"),
        )
        if noRun:
            self.show(state_line.MISSING, noRun)
        else:
            self.show(state_line.DONE, f"{run.path.name}: {self._size()}")

    def _size(self) -> str:
        """Of the run, walked through only after something was made in it."""
        now = (self.panel.state, self.panel.jobName)
        if self._sized[0] != now:
            self._sized = (now, run_archive.size_in_words(run_archive.size_of(self.panel.run.path)))
        return self._sized[1]

    def onOpen(self) -> None:
        """Show the run folder in the file manager; where there is none, show its path."""
        path = str(self.panel.run.path)
        if not qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(path)):
            slicer.util.infoDisplay(path, windowTitle=_("Run folder"))

    def onExportResults(self) -> None:
        """Copy the predictions to a folder of the user's choice; what is there stays."""
        chosen = qt.QFileDialog.getExistingDirectory(self.panel.parent, _("Copy the predictions to"))
        if not chosen:
            return
        kept = 0
        try:
            with self.busy(_("copying the predictions")):
                for source in sorted(self.panel.run.predictions.iterdir()):
                    if (Path(chosen) / source.name).exists():
                        kept += 1
                    elif source.is_file():
                        shutil.copyfile(source, Path(chosen) / source.name)
        except OSError as error:
            self.fail(_("The predictions cannot be copied: {reason}.").format(reason=error.strerror))
            return
        self.clearFailure()
        if kept:
            self.fail(_("{n} files were there already and stayed as they were.").format(n=kept))

    def _format(self):
        return export_formats.formats()[max(0, self.ui.exportFormat.currentIndex)]

    def _whyNoExport(self, noRun: str, noModel: str, noResult: str) -> str:
        """What a format needs: a run, annotations, or predictions; all but the zip file are jobs."""
        name, panel = self._format().name, self.panel
        if name == export_formats.ZIP:
            return panel.why_not(noModel)
        annotated = panel.state.annotated
        isAnnotated = annotated.cases or annotated.scribbles or panel.state.finishedRounds
        noAnnotation = "" if isAnnotated else _("Nothing is annotated yet.")
        noNetwork = "" if panel.state.finishedRounds else _("Fine-tune in step 4 first.")
        noWeights = "" if panel.state.isPretrained else _("Pre-train in step 2 first.")
        lacks = {
            "nnssl": noWeights,
            "dicom-seg": noResult,
            "monai-bundle": noNetwork,
            "nnunet-raw": noAnnotation,
        }
        return panel.why_no_job(noRun, lacks[name])

    def onExport(self) -> None:
        """Write the run in the chosen form, in a process of its own."""
        run, name = self.panel.run, self._format().name
        if name != export_formats.ZIP:
            folder = qt.QFileDialog.getExistingDirectory(self.panel.parent, _("Export to the folder"))
            if folder:
                self.clearFailure()
                self.panel.startJob("export", {"run": str(run.path), "to": name, "output": folder})
            return
        chosen = qt.QFileDialog.getSaveFileName(
            self.panel.parent, _("Export run"), f"{run.path}.zip", "Zip (*.zip)"
        )
        if chosen:
            self._archive("export", str(run.path), chosen)

    def onImport(self) -> None:
        """Unpack a run that was exported, and open it."""
        chosen = qt.QFileDialog.getOpenFileName(self.panel.parent, _("Import run"), "", "Zip (*.zip)")
        if not chosen:
            return
        try:
            name = run_archive.name_in(Path(chosen))
        except ContrastiveSegError as error:
            self.fail(str(error))
            return
        target = self._placeFor(name)
        if target is not None:
            self.clearFailure()
            self._archive("import", chosen, str(target.parent), target.name)

    def _placeFor(self, name: str):
        """Where to import a run to: where its name is taken, under a free one or in another folder."""
        parent = self.panel.logic.runsFolder()
        free = freeName(parent, name)
        question = _("There is a run '{name}' in {folder} already. Import this one as '{free}'?")
        question += " " + _("'Cancel' lets you choose another folder.")
        question = question.format(name=name, folder=parent, free=free)
        if free == name or slicer.app.testingEnabled() or slicer.util.confirmOkCancelDisplay(question):
            return parent / free
        chosen = qt.QFileDialog.getExistingDirectory(self.panel.parent, _("Import into the folder"))
        return Path(chosen) / freeName(Path(chosen), name) if chosen else None

    def _archive(self, verb: str, *words: str) -> None:
        python = Engine.own().command[0]
        module = "ContrastiveSegLib.slicer_bridge.run_archive"
        engine = Engine((python, "-u", "-m", module))
        folder = Path(slicer.app.temporaryPath) / "ContrastiveSeg-archive"
        self.panel.startJob(verb, {"words": list(words)}, folder=folder, engine=engine)

    def onBegin(self, job, seen) -> None:
        super().onBegin(job, seen)
        self.show(state_line.WORKING, _("exporting ...") if job.name == "export" else _("importing ..."))

    def onEnd(self, job, outcome, _extra) -> None:
        said = job_words.lastParagraph(job.tail())
        if outcome.kind != job_words.DONE:
            self.fail(outcome.text)
        elif job.name == "import":
            self.panel.data.runPath.choose(said)
        else:
            # The job ends with a sentence, the archive with the path.
            isSentence = outcome.kind == job_words.DONE and job.run is not None
            words = said if isSentence else _("Exported to {path}").format(path=said)
            slicer.util.showStatusMessage(words, 5000)

    def onDelete(self) -> None:
        """Delete the run after asking; what the program did not write stays, and is listed."""
        run = self.panel.run
        try:
            found = run_archive.contents_of(run)
        except OSError as error:
            self.fail(_("The run folder cannot be read: {reason}.").format(reason=error.strerror))
            return
        # In tests nobody answers.
        if not slicer.app.testingEnabled() and not slicer.util.confirmOkCancelDisplay(
            _question(run.path, found), detailedText="\n".join(map(str, found.others))
        ):
            return
        try:
            with self.busy(_("deleting the run")):
                stays = run_archive.delete_run(run)
        except ContrastiveSegError as error:
            self.fail(str(error))
            return
        self.clearFailure()
        self.panel.data.runPath.choose("")
        if stays:
            slicer.util.infoDisplay(
                _("What the program did not write stays in {path}: {files}").format(
                    path=run.path, files=_listed(stays, run.path)
                ),
                windowTitle=_("Delete run"),
            )


def _question(path: Path, found) -> str:
    size = run_archive.size_in_words(sum(file.lstat().st_size for file in found.own))
    question = _(
        "Delete the run {path} with its models, annotations and predictions ({n} files, {size})? "
        "This cannot be undone."
    ).format(path=path, n=len(found.own), size=size)
    if not found.others:
        return question
    stays = _("These files were not written by the program and stay: {files}.")
    return f"{question}\n\n{stays.format(files=_listed(found.others, path))}"


def _listed(files, folder: Path) -> str:
    names = [file.relative_to(folder).as_posix() for file in files]
    more = _(" and {n} more").format(n=len(names) - SHOWN_FILES) if len(names) > SHOWN_FILES else ""
    return ", ".join(names[:SHOWN_FILES]) + more
