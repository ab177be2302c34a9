"""Step 1, data: a folder of volumes or the volumes of the scene, as a table of cases."""

from pathlib import Path

import slicer
from slicer.i18n import tr as _

from ContrastiveSegLib.errors import ContrastiveSegError
from ContrastiveSegLib.slicer_bridge import annotation_files, nodes
from ContrastiveSegLib.volumes.files import read_image, write_image

from . import state_line, table_rows
from .case_reader import CaseReader
from .file_names import safeName
from .run_state import proposed
from .step import Step


class DataStep(Step):
    """Folder, run folder, table of cases."""

    def __init__(self, panel) -> None:
        super().__init__(panel, panel.ui.dataState)
        ui = self.ui
        table_rows.style(ui.caseTable)
        self.reader = CaseReader(panel.parent, panel.refresh)
        ui.dataFolder.connect("currentPathChanged(QString)", self.onFolder)
        ui.runFolder.connect("currentPathChanged(QString)", panel.setRun)
        ui.useSceneButton.connect("clicked()", self.onUseScene)
        ui.caseTable.connect("cellDoubleClicked(int,int)", self.onOpenCase)

    @property
    def folder(self) -> str:
        """The data folder, "" while none is chosen."""
        return self.panel.parameters.dataFolder

    def fill(self) -> None:
        parameters = self.panel.parameters
        self.ui.runFolder.currentPath = parameters.runFolder
        self.ui.dataFolder.currentPath = parameters.dataFolder
        if parameters.dataFolder != self.reader.folder:
            self.reader.read(parameters.dataFolder)

    def onFolder(self, path: str) -> None:
        """Another data folder: read it, and propose a run folder if there is none."""
        if path == self.folder:
            return
        self._failure = ""
        parameters = self.panel.parameters
        parameters.dataFolder = path
        if path and not parameters.runFolder:
            self.ui.runFolder.currentPath = proposed(self.panel.logic.runsFolder(), Path(path))
        self.reader.read(path)

    def onUseScene(self) -> None:
        """Write the volumes of the scene into the run folder and use them as data."""
        volumes = _volumesOfScene()
        parameters = self.panel.parameters
        if not parameters.runFolder:
            self.ui.runFolder.currentPath = proposed(self.panel.logic.runsFolder(), Path("scene"))
        folder = self.panel.run.panel / "scene" / "images"
        try:
            for volume in volumes:
                name = safeName(volume.GetName())
                write_image(folder / f"{name}.nrrd", nodes.volume_of(volume), overwrite=True)
                volume.SetAttribute(nodes.CASE, name)
        except ContrastiveSegError as error:
            self.fail(str(error))
            return
        self.ui.dataFolder.currentPath = str(folder.parent)
        self.reader.read(str(folder.parent))

    def onOpenCase(self, row: int, _column: int = 0) -> None:
        """Load the case of a row into the viewer."""
        self.load(table_rows.keyOfRow(self.ui.caseTable, row))

    def load(self, name: str):
        """The volume node of a case, loaded if it is not in the scene; None when that failed."""
        found = nodes.find_volume(name)
        case = self.reader.case(name)
        if found is None and case is not None:
            try:
                with slicer.util.WaitCursor():
                    read = read_image(case.images, last_axis_is_channels=case.last_axis_is_channels)
                    found = nodes.add_volume(read.volume, case.name, case=case.name)[0]
            except ContrastiveSegError as error:
                self.fail(str(error))
                return None
        if found is not None:
            slicer.util.setSliceViewerLayers(background=found, fit=True, rotateToVolumePlane=True)
        return found

    def refresh(self) -> None:
        ui, reader = self.ui, self.reader
        state_line.allow(
            ui.useSceneButton,
            "" if _volumesOfScene() else _("No volume is loaded but those of a data folder."),
            _("Learn from the volumes that are loaded in Slicer"),
        )
        run = self.panel.run
        annotated = annotation_files.annotated_cases(run) if run else frozenset()
        reader.showIn(ui.caseTable, annotated)
        self._showState(reader, run)

    def _showState(self, reader, run) -> None:
        if reader.error:
            self.show(state_line.FAILED, reader.error)
        elif not self.folder:
            self.show(state_line.MISSING, _("choose a folder of volumes, or use the volumes of the scene"))
        elif reader.isReading:
            self.show(state_line.WORKING, _("reading {n} headers ...").format(n=len(reader.cases)))
        elif run is None:
            self.show(state_line.MISSING, _("choose a run folder: results are kept there"))
        elif self.panel.state.damaged:
            self.show(state_line.FAILED, self.panel.state.damaged)
        else:
            text = _("{cases} cases, {labeled} with labels; {out} files left out")
            self.show(state_line.DONE, text.format(**reader.counts()))


def _volumesOfScene() -> list:
    """The volumes that the user loaded; cases of a data folder and empty nodes are none."""
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return [v for v in volumes if not v.GetAttribute(nodes.CASE) and v.GetImageData() is not None]
