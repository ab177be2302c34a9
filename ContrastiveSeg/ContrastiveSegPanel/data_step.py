"""Step 1, data: a folder of volumes or the volumes of the scene, as a table of cases."""

from pathlib import Path

import slicer
from slicer.i18n import tr as _

from ContrastiveSegLib.errors import ContrastiveSegError
from ContrastiveSegLib.file_io.files import read_image, write_image
from ContrastiveSegLib.slicer_bridge import annotation_files, nodes, shown_case

from . import data_of_runs, state_line, table_rows
from .case_reader import CaseReader
from .case_table import CaseTable
from .path_field import PathField
from .predicted_volume import COPY
from .run_state import proposed
from .scan_row import ScanRow
from .step import Step


class DataStep(Step):
    """Folder, run folder, table of cases."""

    def __init__(self, panel) -> None:
        super().__init__(panel, panel.ui.dataState)
        ui = self.ui
        self.reader = CaseReader(panel.parent, self.onProgress, panel.refresh)
        self.table = CaseTable(ui.caseTable, self.reader)
        self.scan = ScanRow(ui.scanBox, self.reader.stop)
        self.dataPath = PathField(ui.dataFolder, self.onFolder)
        self.runPath = PathField(ui.runFolder, panel.setRun)
        self.paths = (self.dataPath, self.runPath)
        ui.useSceneButton.connect("clicked()", self.onUseScene)
        ui.caseTable.connect("cellDoubleClicked(int,int)", self.onOpenCase)

    @property
    def folder(self) -> str:
        """The data folder, "" while none is chosen."""
        return self.panel.parameters.dataFolder

    def fill(self) -> None:
        parameters = self.panel.parameters
        self.runPath.show(parameters.runFolder)
        self.dataPath.show(parameters.dataFolder)
        if parameters.dataFolder != self.reader.folder:
            self.reader.read(parameters.dataFolder)

    def onFolder(self, path: str) -> None:
        """A data folder was chosen: read it, and propose a run folder if there is none."""
        self.clearFailure()
        parameters = self.panel.parameters
        parameters.dataFolder = path
        if parameters.runFolder:
            data_of_runs.remember(parameters.runFolder, path)
        if path and not parameters.runFolder:
            self.runPath.choose(proposed(self.panel.logic.runsFolder(), Path(path)))
        self.reader.read(path)

    def keepWithRun(self) -> None:
        """Remember the data folder of the run; a run that comes without one gets that it had."""
        run, folder = self.panel.parameters.runFolder, self.folder
        if run and folder:
            data_of_runs.remember(run, folder)
        elif run and (known := data_of_runs.recall(run, self.panel.state.asked)):
            self.dataPath.choose(known)

    def onProgress(self) -> None:
        """Some more is known of the folder that is being read."""
        if not self.table.isFilling:
            self._showTable()
        self._showState()

    def _showTable(self) -> None:
        run = self.panel.run
        self.table.show(annotation_files.annotated_cases(run) if run else frozenset())

    def onUseScene(self) -> None:
        """Write the volumes of the scene into the run folder and use them as data."""
        volumes = _volumesOfScene()
        parameters = self.panel.parameters
        if not parameters.runFolder:
            self.runPath.choose(proposed(self.panel.logic.runsFolder(), Path("scene")))
        folder = self.panel.run.panel / "scene_volumes"
        try:
            with self.busy(_("writing the volumes into the run folder")):
                for volume in volumes:
                    file = folder / nodes.case_of(volume) / COPY
                    write_image(file, nodes.volume_of(volume), overwrite=True)
                    volume.SetAttribute(nodes.FILE, str(file))
        except ContrastiveSegError as error:
            self.fail(str(error))
            return
        self.dataPath.show(str(folder))
        self.onFolder(str(folder))

    def onOpenCase(self, row: int, _column: int = 0) -> None:
        """Load the case of a row into the viewer."""
        self.load(table_rows.keyOfRow(self.ui.caseTable, row))

    def load(self, name: str):
        """The volume node of a case, loaded if it is not in the scene, and shown; None when that failed."""
        found, case = self.volumeOf(name), self.reader.case(name)
        if case is None:
            return None
        if found is None:
            try:
                with self.busy(_("opening {case}").format(case=name)):
                    read = read_image(case.images, last_axis_is_channels=case.last_axis_is_channels)
                    nodes.set_aside(name)
                    volumes = nodes.add_volume(read.volume, name, case=name, file=case.images[0])
                    found = volumes[0]
            except ContrastiveSegError as error:
                self.fail(str(error))
                return None
        self.panel.show(found)
        shown_case.bring_into_view(found)
        return found

    def volumeOf(self, name: str):
        """The volume node of a case, if it is in the scene; never that of another folder's case."""
        found, case = nodes.find_volume(name), self.reader.case(name)
        isThis = found is not None and case and found.GetAttribute(nodes.FILE) == str(case.images[0])
        return found if isThis else None

    def lookAtScene(self) -> None:
        """Whether there are volumes to learn from; they may be loaded while the panel is open."""
        state_line.allow(
            self.ui.useSceneButton,
            "" if _volumesOfScene() else _("No volume is loaded other than those of the data folder."),
            _("Learn from the volumes that are loaded in Slicer"),
        )

    def refresh(self) -> None:
        self.lookAtScene()
        self._showTable()
        self._showState()

    def _showState(self) -> None:
        reader = self.reader
        self.scan.show(reader)
        counts = reader.counts()
        if reader.error:
            self.show(state_line.FAILED, reader.error)
        elif not self.folder:
            self.show(state_line.MISSING, _("choose a folder of volumes, or use the volumes of the scene"))
        elif reader.isReading and not reader.isFound:
            self.show(state_line.WORKING, _("looking through the folder ..."))
        elif reader.isReading:
            text = _("reading headers: {n} of {all}")
            self.show(state_line.WORKING, text.format(n=reader.headersRead, all=len(reader.cases)))
        elif self.panel.run is None:
            self.show(state_line.MISSING, _("choose a run folder: results are kept there"))
        elif self.panel.state.damaged:
            self.show(state_line.FAILED, self.panel.state.damaged)
        elif reader.isStopped:
            text = _("stopped: {n} of {all} headers were read; choose the folder again to read all")
            self.show(state_line.READY, text.format(n=reader.headersRead, all=len(reader.cases)))
        else:
            text = _("{cases} cases, {labeled} with labels; files left out: {out}")
            self.show(state_line.DONE, text.format(**counts))


def _volumesOfScene() -> list:
    """The volumes that the user loaded; cases of a data folder, maps and empty nodes are none."""
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    mine = [v for v in volumes if v.GetAttribute(nodes.FILE) or v.GetAttribute(nodes.MAP)]
    return [v for v in volumes if v not in mine and v.GetImageData() is not None]
