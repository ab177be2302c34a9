"""Step 5, predict and review: a new segmentation in 2D and 3D, uncertainty, volumes, corrections."""

import glob
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from ContrastiveSegLib.errors import ContrastiveSegError
from ContrastiveSegLib.slicer_bridge import nodes, prediction_tables, predictions, shown_case

from . import job_words, predicted_volume, state_line, table_rows
from .job_box import JobBox
from .prediction_table import PredictionTable
from .step import Step
from .structure_table import StructureTable
from .surface_button import SurfaceButton


class PredictStep(Step):
    """Predict one volume or all cases, and show what came out."""

    def __init__(self, panel) -> None:
        super().__init__(panel, panel.ui.predictState)
        ui = self.ui
        self.structures = StructureTable(ui.volumesTable, ui.copyTableButton)
        self.predicted = PredictionTable(ui.predictionTable)
        self.box = JobBox(ui.predictJob, "predict", self.onCurrent, panel.cancel)
        self.box.start.text = _("Segment this volume")
        for value, words in (
            ("auto", _("As in the annotations")),
            ("each", _("Largest of each structure")),
            ("together", _("Largest of all structures together")),
            ("no", _("All")),
        ):
            ui.connectedComponents.addItem(words, value)
        ui.connectedComponents.connect(
            "currentIndexChanged(int)", lambda _index: self.onConnectedComponents()
        )
        ui.predictAllButton.connect("clicked()", self.onAll)
        ui.inputVolume.connect("currentNodeChanged(vtkMRMLNode*)", lambda _node: self.refresh())
        ui.predictionTable.connect("cellDoubleClicked(int,int)", self.onOpen)
        ui.showUncertainty.connect("toggled(bool)", self.onUncertainty)
        ui.correctButton.connect("clicked()", self.onCorrect)
        ui.suggestNextButton.connect("clicked()", panel.annotate.onSuggest)
        self.surfaces = SurfaceButton(ui.show3DButton, self, self._shown)
        self._done: set[str] = set()
        self._showNothing()

    def _showNothing(self) -> None:
        self.case, self.volumeID, self.segmentationID = "", "", ""
        self.file: Path | None = None
        self.structures.clear()
        self._check(False)

    def fill(self) -> None:
        self.ui.connectedComponents.currentIndex = max(
            0, self.ui.connectedComponents.findData(self.panel.parameters.connectedComponents)
        )

    def onConnectedComponents(self) -> None:
        """Which connected components of each structure are kept."""
        self.panel.parameters.connectedComponents = self.ui.connectedComponents.currentData

    def replay(self, events) -> None:
        self._showNothing()
        self.predicted.forget()
        self.predicted.onEvents(events)

    def onShown(self, case: str, volume) -> None:
        """The step is about the prediction that is seen; another case takes it away."""
        node = shown_case.shown_segmentation(case)
        path = Path(node.GetAttribute(predictions.PREDICTION) or "") if node is not None else Path()
        run = self.panel.run
        self._check(False)  # whoever shows a case takes the maps away
        mine = (run.predictions, run.refined) if run is not None else ()
        if node is not None and path.parent in mine:
            node.GetDisplayNode().SetVisibility2DFill(True)
            if node.GetID() != self.segmentationID:
                self._take(case, volume, node, path)
        elif case != self.case:  # else the prediction is hidden, but can be corrected
            self._showNothing()
            self.refresh()

    def _take(self, case: str, volume, node, path: Path) -> None:
        self.case, self.file = case, path
        self.volumeID, self.segmentationID = volume.GetID(), node.GetID()
        with self.busy(_("measuring the volumes of {case}").format(case=case)):
            found = predictions.volumes_ml(node, volume)
        self.structures.show(case, found, self._measures(case, path))
        predictions.write_volumes_table(found, volume, _("{case} volumes").format(case=case))
        self.refresh()

    def _measures(self, case: str, path: Path) -> dict:
        """What the job measured in this very prediction; nothing of a refined one."""
        run = self.panel.run
        return prediction_tables.read_measures(run, case) if path.parent == run.predictions else {}

    def _check(self, isOn: bool) -> None:
        """Set the check box of the uncertainty without laying the map over the volume."""
        wasBlocked = self.ui.showUncertainty.blockSignals(True)
        self.ui.showUncertainty.setChecked(isOn)
        self.ui.showUncertainty.blockSignals(wasBlocked)

    def onCurrent(self) -> None:
        """Segment the chosen volume."""
        volume = self.ui.inputVolume.currentNode()
        try:
            with self.busy(_("preparing {name}").format(name=volume.GetName())):
                settings, case = self._settingsFor(volume)
        except ContrastiveSegError as error:
            self.fail(str(error))
            return
        self.panel.startJob("predict", settings, volume=volume.GetID(), case=case, total=1)

    def _settingsFor(self, volume):
        """A case of the data folder is predicted from its own file, which may have more channels."""
        panel, case = self.panel, nodes.case_of(volume)
        settings = {
            "run": str(panel.run.path),
            "overwrite": True,
            "components": panel.parameters.connectedComponents,
        }
        if panel.data.volumeOf(case) is volume:
            images = panel.parameters.dataFolder
            return {**settings, "images": images, "cases": {"only": [glob.escape(case)]}}, case
        if panel.data.reader.case(case) is not None:
            case = nodes.set_aside(case)  # a case of the data folder has this name
        return {**settings, **predicted_volume.export(volume, panel.run)}, case

    def onAll(self) -> None:
        """Segment every case of the data folder."""
        panel = self.panel
        settings = {
            "run": str(panel.run.path),
            "images": panel.parameters.dataFolder,
            "overwrite": bool(panel.parameters.replacePredictions),
            "components": panel.parameters.connectedComponents,
        }
        self.panel.startJob("predict", settings, total=len(panel.data.reader.cases))

    def onBegin(self, job, seen) -> None:
        super().onBegin(job, seen)
        self._done = set()

    def onEvents(self, events) -> None:
        super().onEvents(events)
        self.predicted.onEvents(events)
        self._done |= {e.get("case") for e in events if e.get("kind") == "result" and e.get("case")}
        if self._done:
            self.box.fillCount(len(self._done), max(len(self._done), self.panel.extra.get("total", 1)))

    def onEnd(self, job, outcome, extra) -> None:
        super().onEnd(job, outcome, extra)
        if outcome.kind == job_words.DONE and extra.get("case"):
            volume = slicer.mrmlScene.GetNodeByID(extra["volume"])
            if volume is None:
                self.showMessage(_("The volume was closed meanwhile; open the result from the table."))
                return
            self.showResult(extra["case"], volume)

    def onOpen(self, row: int, _column: int = 0) -> None:
        """Show the prediction of a row of the table, with its volume."""
        case = table_rows.keyOfRow(self.ui.predictionTable, row)
        try:
            volume = predicted_volume.find(self.panel, case)
        except ContrastiveSegError as error:
            self.fail(str(error))
            return
        if volume is None:
            self.fail(_("The image of {case} is not in the data folder.").format(case=case))
            return
        self.showResult(case, volume)

    def isShown(self) -> bool:
        """Whether the segmentation of a prediction is in the scene."""
        return self._shown() is not None

    def _shown(self):
        return slicer.mrmlScene.GetNodeByID(self.segmentationID) if self.segmentationID else None

    def volume(self):
        """The volume of the shown prediction; None if it was closed."""
        return slicer.mrmlScene.GetNodeByID(self.volumeID) if self.volumeID else None

    def showResult(self, case: str, volume, *, path=None):
        """The segmentation of a prediction, its volumes in ml, and its uncertainty if that is switched on.

        Args:
            path: A refined prediction, instead of the run's own.
        """
        run, rounds = self.panel.run, self.panel.state.finishedRounds
        name = _("{case} refined (round {n})") if path else _("{case} predicted (round {n})")
        name, file = name.format(case=case, n=rounds[-1] if rounds else "?"), path or run.prediction(case)
        isDoubtWanted = self.ui.showUncertainty.checked
        try:
            with self.busy(_("showing {name}").format(name=name)):
                node = predictions.load_prediction(file, volume, name)
                self.panel.showResult(volume, node)
        except ContrastiveSegError as error:
            self.fail(str(error))
            return None
        self.clearFailure()
        if isDoubtWanted:
            self.ui.showUncertainty.setChecked(True)
        self.refresh()
        return node

    def onUncertainty(self, isOn: bool) -> None:
        """Lay the uncertainty map over the volume, or take it away."""
        overlay = None
        if isOn and self.volume() is not None:
            path, name = self.panel.run.uncertainty(self.case), _("{case} uncertainty").format(case=self.case)
            try:
                with self.busy(_("showing {name}").format(name=name)):
                    overlay = predictions.load_uncertainty(path, self.volume(), name)
            except (ContrastiveSegError, RuntimeError) as error:
                self._check(False)
                self.fail(str(error))
                return
        shown_case.lay_over(overlay)
        shown = self._shown()
        if shown is not None:
            # The map would be seen through colored fill; outlines stay.
            shown.GetDisplayNode().SetVisibility2DFill(not isOn)

    def onCorrect(self) -> None:
        """Begin an annotation with the prediction, in the Segment Editor: saved, it is learned next time."""
        self.panel.annotate.open(self.case, source=self.file)

    def refresh(self) -> None:
        panel, ui = self.panel, self.ui
        volume = ui.inputVolume.currentNode()
        noRun = "" if panel.run else _("Choose a run folder in step 1.")
        untrained = noRun or ("" if panel.state.finishedRounds else _("Fine-tune in step 4 first."))
        noVolume = "" if volume is not None else _("Choose a volume.")
        noData = "" if panel.parameters.dataFolder else _("Choose a data folder in step 1.")
        state_line.allow(self.box.start, panel.why_no_job(untrained, noVolume), _("Makes a new segmentation"))
        tip = _("Saves the predictions in the run folder")
        state_line.allow(ui.predictAllButton, panel.why_no_job(untrained, noData), tip)
        predicted = panel.state.predicted
        self.predicted.show(panel.run, predicted)
        noResult = "" if self.isShown() else _("Show a prediction first.")
        isCase = panel.data.volumeOf(self.case) is not None
        notCase = "" if isCase else _("Its volume is not in the data folder of step 1.")
        state_line.allow(
            ui.correctButton, noResult or notCase, _("Correct it, save it in step 3, fine-tune again")
        )
        self.surfaces.refresh(noResult)
        state_line.allow(ui.suggestNextButton, *_suggesting(panel))
        ui.showUncertainty.enabled = self.isShown()
        self._showState(untrained)

    def _showState(self, missing: str) -> None:
        predicted = self.panel.state.predicted
        if self.panel.jobName == "predict":
            self.show(state_line.WORKING, _("segmenting"))
        elif missing:
            self.show(state_line.MISSING, missing)
        elif predicted:
            self.show(
                state_line.DONE,
                _("predicted cases: {n}; double click one to see it").format(n=len(predicted)),
            )
        else:
            self.show(state_line.READY, _("choose a volume, or segment all cases"))


def _suggesting(panel):
    start = panel.annotate.box.start
    return ("", _("Rank what to annotate next")) if start.enabled else (start.toolTip, "")
