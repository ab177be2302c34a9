"""Below step 3: carry the annotated slice through its volume, look at the result, accept it."""

from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from ContrastiveSegLib.errors import BadSetting, ContrastiveSegError
from ContrastiveSegLib.file_io.files import write_image
from ContrastiveSegLib.runs.case_files import case_file, case_of
from ContrastiveSegLib.slicer_bridge import annotating, nodes, predictions, shown_case

from . import job_words, state_line
from .prompted_step import PromptedStep
from .surface_button import SurfaceButton


class Propagation(PromptedStep):
    """One annotated slice becomes a segmentation of its own; the annotator's stays as it is."""

    def __init__(self, panel) -> None:
        text = _("Propagate this slice")
        super().__init__(panel, "propagate", event="propagated", makes=("volumes", "masks"), text=text)
        panel.ui.acceptButton.connect("clicked()", self.onAccept)
        self.surfaces = SurfaceButton(panel.ui.propagated3DButton, self, self._shown)
        self.case, self.segmentationID = "", ""

    def replay(self, _events) -> None:
        self.case, self.segmentationID = "", ""

    def onStart(self) -> None:
        """Save annotation and image where the job finds them, and start it."""
        case = self.panel.annotate.case
        try:
            with self.busy(_("preparing {name}").format(name=case)):
                settings = self._settings(case, *self._nodes())
        except ContrastiveSegError as error:
            self.fail(str(error))
            return
        self.panel.startJob("propagate", settings)

    def _settings(self, case: str, node, volume) -> dict:
        """Write what the job reads; its settings."""
        run, reader = self.panel.run, self.panel.data.reader
        axis = reader.axisOf(case)
        painted = annotating.amount(node, volume, axis=axis).painted
        index = keySlice(painted, nodes.shown_index(volume, axis))
        run.create()
        folder = run.panel / "propagated"
        # The volume of the scene: one file and one channel, on the very grid that was painted on.
        image, annotation = folder / f"{case}_image.nrrd", case_file(folder, f"{case}_annotation")
        write_image(image, nodes.volume_of(volume), overwrite=True)
        annotating.save_annotation(node, volume, annotation, axis=axis)
        return {
            "image": str(image),
            "annotation": str(annotation),
            "slice": index,
            "plane": reader.plane,
            "output": str(case_file(folder, case)),
            "run": str(run.path),
            "overwrite": True,
            **self.choice.settings(),
        }

    def onEnd(self, job, outcome, extra) -> None:
        super().onEnd(job, outcome, extra)
        if outcome.kind == job_words.DONE and self._result:
            self.showResult(Path(self._result["file"]))

    def showResult(self, path: Path):
        """The carried labels as a new segmentation, beside the annotator's own."""
        case = case_of(path)
        volume = self.panel.data.volumeOf(case) or self.panel.data.load(case)
        if volume is None:
            self.showMessage(_("The volume was closed meanwhile; the result is in {path}").format(path=path))
            return None
        try:
            with self.busy(_("showing what was propagated in {case}").format(case=case)):
                name = _("{case} propagated").format(case=case)
                node = predictions.load_prediction(path, volume, name)
                self.panel.showResult(volume, node)
        except ContrastiveSegError as error:
            self.fail(str(error))
            return None
        self.case, self.segmentationID = case, node.GetID()
        return node

    def onAccept(self) -> None:
        """Begin an annotation of the whole volume with the result; the node drawn before stays, hidden."""
        before, shown = annotating.annotation_of(self.case), self._shown()
        source = Path(shown.GetAttribute(predictions.PREDICTION))
        node = self.panel.annotate.open(self.case, source=source)
        if node is None:
            return
        if before is not None:
            data = self.panel.data
            with self.busy(_("keeping the slices that you drew")):
                keepDrawn(before, node, data.volumeOf(self.case), data.reader.axisOf(self.case))
            for index in annotating.complete_slices(before):
                annotating.mark_complete(node, index)
        self.segmentationID = ""
        self.panel.refresh()

    def refresh(self) -> None:
        panel = self.panel
        node, volume = self._nodes()
        noRun = "" if panel.run else _("Choose a run folder in step 1.")
        isOpen = node is not None and volume is not None
        noNode = "" if isOpen else _("Open a case for annotation first.")
        scribbles = _("Scribbles cannot be propagated; draw the outlines in one slice.")
        isScribbled = isOpen and annotating.kind_of(node) == annotating.SCRIBBLES
        notPainted = _("No slice is annotated yet: draw the structures in one slice.")
        noSlice = noNode or ("" if isPainted(node) else notPainted)
        missing = noRun or noSlice or (scribbles if isScribbled else "") or self.choice.whyNot()
        tip = _("Propagates the annotated slice in both directions; of several slices the shown one")
        state_line.allow(self.box.start, panel.why_no_job(missing), tip)
        noResult = "" if self._shown() is not None else _("Propagate a slice first.")
        tip = _("Opens it as the annotation; slices that you drew stay as they are. Correct it, then save")
        state_line.allow(self.ui.acceptButton, noResult, tip)
        self.surfaces.refresh(noResult)
        self._showState(missing, noResult)

    def _showState(self, missing: str, noResult: str) -> None:
        if self.panel.jobName == "propagate":
            self.show(state_line.WORKING, _("propagating the slice through the volume"))
        elif not noResult:
            self.show(state_line.DONE, _("look at the ends of each structure, then accept or correct"))
        elif missing:
            self.show(state_line.MISSING, missing)
        else:
            self.show(state_line.READY, _("one annotated slice can be propagated through the whole volume"))

    def _nodes(self):
        case = self.panel.annotate.case
        return (annotating.annotation_of(case), self.panel.data.volumeOf(case)) if case else (None, None)

    def _shown(self):
        node = slicer.mrmlScene.GetNodeByID(self.segmentationID) if self.segmentationID else None
        return node if shown_case.is_shown(node) else None


def isPainted(node) -> bool:
    """Whether any segment has a voxel; VTK remembers the range, so that asking costs nothing."""
    for identity in node.GetSegmentation().GetSegmentIDs():
        labels = node.GetBinaryLabelmapInternalRepresentation(identity)
        values = labels.GetPointData().GetScalars() if labels is not None else None
        if values is not None and values.GetRange()[1] > 0:
            return True
    return False


def keySlice(painted, shown) -> int:
    """The only annotated slice, or the shown one of several.

    Raises:
        BadSetting: Nothing is painted, or the shown slice is none of several.
    """
    if not painted:
        raise BadSetting(_("Nothing is painted yet."), _("Draw the structures in one slice."))
    if len(painted) == 1:
        return painted[0]
    if shown not in painted:
        text = _("{n} slices are annotated, but not the one that is shown.")
        listed = ", ".join(map(str, painted[:10]))
        raise BadSetting(text.format(n=len(painted)), _("Show one of them: {listed}.").format(listed=listed))
    return shown


def keepDrawn(before, node, volume, axis: int) -> None:
    """In the slices that were drawn by hand, the hand is right, not what was carried there."""
    painted = list(annotating.amount(before, volume, axis=axis).painted)
    for identity in node.GetSegmentation().GetSegmentIDs():
        name = node.GetSegmentation().GetSegment(identity).GetName()
        drawn = before.GetSegmentation().GetSegmentIdBySegmentName(name)
        mask = np.array(slicer.util.arrayFromSegmentBinaryLabelmap(node, identity, volume))
        slices = np.moveaxis(mask, 2 - axis, 0)
        if drawn:
            hand = slicer.util.arrayFromSegmentBinaryLabelmap(before, drawn, volume)
            slices[painted] = np.moveaxis(hand, 2 - axis, 0)[painted]
        else:
            slices[painted] = 0
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, identity, volume)
