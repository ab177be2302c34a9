"""Step 3, annotate: what to annotate next, in the Segment Editor, saved in the run folder."""

from contextlib import contextmanager

from slicer.i18n import tr as _

from ContrastiveSegLib.errors import BadSetting, ContrastiveSegError
from ContrastiveSegLib.slicer_bridge import annotating, annotation_files, nodes, predictions, shown_case
from ContrastiveSegLib.slicer_bridge.label_conversion import readable_by_slicer

from . import annotation_kinds, job_words, segment_editor, state_line, structures, suggestions, table_rows
from .job_box import JobBox
from .step import Step

# Attribute of a segmentation node: the prediction that it corrects, and when that was written.
BEGAN_WITH = "ContrastiveSeg.BeganWith"


class AnnotateStep(Step):
    """Suggestions, the Segment Editor, marks of complete slices, saving."""

    def __init__(self, panel) -> None:
        super().__init__(panel, panel.ui.annotateState)
        ui = self.ui
        table_rows.style(ui.suggestionTable, wraps=True)
        self.box = JobBox(ui.suggestJob, "suggest", self.onSuggest, panel.cancel)
        self.box.start.text = _("Suggest what to annotate next")
        ui.suggestionTable.connect("cellClicked(int,int)", self.onSuggestion)
        ui.annotateButton.connect("clicked()", self.onAnnotate)
        ui.completeButton.connect("clicked()", self.onComplete)
        ui.saveAnnotationButton.connect("clicked()", self.onSave)
        ui.structures.connect("editingFinished()", self.onStructures)
        for kind in annotating.KINDS:
            ui.annotationKind.addItem(annotation_kinds.name(kind), kind)
        ui.annotationKind.connect("currentIndexChanged(int)", lambda _index: self.onKind())
        self.case = ""

    def fill(self) -> None:
        self.ui.structures.text = self.panel.parameters.structures

    def onStructures(self) -> None:
        """The names of the task's segments."""
        self.panel.parameters.structures = self.ui.structures.text
        self.refresh()

    def onShown(self, case: str, _volume) -> None:
        # Buttons of this step must not work on a case that is not seen.
        self.case = case if annotating.annotation_of(case) is not None else ""

    def onKind(self) -> None:
        """What unpainted voxels mean: in the open case, and in those that will be opened."""
        kind = self.ui.annotationKind.currentData
        self.panel.parameters.annotationKind = kind
        node = self._nodes()[0]
        if node is not None:
            annotating.set_kind(node, kind)
        self.panel.refresh()

    def onSuggest(self) -> None:
        """Rank cases and slices."""
        panel, reader = self.panel, self.panel.data.reader
        annotated = annotation_files.annotated_cases(panel.run)
        free = sum(case.name not in annotated for case in reader.cases)
        # What is annotated one by one: whole volumes, or slices, with strokes or without.
        isWhole = panel.parameters.annotationKind == annotating.CASES and free > 0
        settings = suggestions.settings(
            panel.run,
            panel.parameters.dataFolder,
            kind="cases" if isWhole else "slices",
            count=self.ui.suggestCount.value,
            free=free if isWhole else reader.slices,
            hasAnnotations=bool(annotated),
        )
        panel.startJob("suggest", settings)

    def onEnd(self, job, outcome, extra) -> None:
        super().onEnd(job, outcome, extra)
        if outcome.kind == job_words.DONE:
            self.replay([])

    def replay(self, _events) -> None:
        found = suggestions.read(self.panel.run) if self.panel.run is not None else []
        columns = (_("Case"), _("Slice"), _("Score"), _("Reason"))
        rows = [
            (s.case, _("whole case") if s.slice is None else s.slice, round(s.score, 2), s.reason)
            for s in found
        ]
        table_rows.fill(self.ui.suggestionTable, columns, rows, [s.key for s in found])

    def onSuggestion(self, row: int, _column: int = 0) -> None:
        """Open the case of a suggestion and jump to its slice."""
        case, index, axis = table_rows.keyOfRow(self.ui.suggestionTable, row).split("\n")
        self.open(case, index=int(index) if index else None, axis=int(axis) if index else None)

    def onAnnotate(self) -> None:
        """Open the case that is selected in step 1."""
        self.open(table_rows.currentKey(self.ui.caseTable))

    def open(self, case: str, *, index=None, axis=None, source=None):
        """Load a case, create or reuse its segmentation, show it in the Segment Editor.

        Args:
            index: Slice to jump to, counted from 0 on the image's own grid.
            axis: Of the image along which it is counted; else the axis along which the jobs cut.
            source: A prediction to correct, in place of the annotation that is open; else the saved
                annotation, else the labels beside the image.
        """
        panel = self.panel
        volume = panel.data.volumeOf(case)
        if not shown_case.is_background(volume):  # else the user has chosen what to look at
            volume = panel.data.load(case)
        if volume is None:
            return None
        self.clearFailure()
        axis = panel.data.reader.axisOf(case) if axis is None else axis
        before = _otherThan(source, annotating.annotation_of(case)) if source else None
        if before is not None:
            before.RemoveAttribute(annotating.ANNOTATION)
        try:
            busy = self.busy(_("opening {case} for annotation").format(case=case))
            with busy, self._beginning(case, source) as how:
                wanted = structures.wanted(panel)
                node = annotating.begin_annotation(case, volume, wanted, axis=axis, **how)
        except (ContrastiveSegError, RuntimeError) as error:
            if before is not None:
                before.SetAttribute(annotating.ANNOTATION, case)
            self.fail(str(error))
            return None
        if before is not None:
            before.SetName(_("{case} earlier annotation").format(case=case))
        if source:
            node.SetAttribute(BEGAN_WITH, predictions.version(source))
        segment_editor.open_(node, volume)
        panel.show(volume, segmentation=node)
        if index is not None:
            _jumpToSlice(volume, axis, index)
        self.refresh()
        return node

    @contextmanager
    def _beginning(self, case: str, prediction):
        """The file that an annotation begins with, and what its unpainted voxels mean."""
        if prediction:
            # It speaks of every voxel, and whoever corrects it looks at every slice.
            yield {"source": prediction, "kind": annotating.CASES}
            return
        if annotating.annotation_of(case) is not None:  # it goes on, and nothing is read
            yield {}
            return
        run, found = self.panel.run, self.panel.data.reader.case(case)
        saved = annotation_files.find_annotation(run, case)
        if saved == annotation_files.annotation_path(run, case, scribbles=True):
            yield {"source": saved, "kind": annotating.SCRIBBLES}
        elif source := saved or (found.labels if found else None):
            with readable_by_slicer(source, found, self.panel.logic.engine()) as file:
                yield {"source": file, "kind": ""}
        else:
            yield {"source": None, "kind": self.panel.parameters.annotationKind}

    def onComplete(self) -> None:
        """Mark the slice that is shown as complete, or take the mark back."""
        node, volume = self._nodes()
        axis = self.panel.data.reader.axisOf(self.case)
        index = nodes.shown_index(volume, axis)
        if index is None:
            self.fail(_("No view shows whole slices of this volume; jump to a slice from the suggestions."))
            return
        isMarked = index in annotating.complete_slices(node)
        annotating.mark_complete(node, index, complete=not isMarked)
        words = _("slice {n} is open again") if isMarked else _("slice {n} is complete, also where empty")
        self.showMessage(words.format(n=index))
        self.refresh()

    def onSave(self) -> None:
        """Save the annotation, and a copy of the image, in the run folder."""
        try:
            with self.busy(_("saving the annotation of {case}").format(case=self.case)):
                kind, count = self._save()
        except ContrastiveSegError as error:
            self.fail(str(error))
            return
        self.clearFailure()
        self.showMessage(annotation_kinds.saved(kind).format(case=self.case, n=count))
        self.panel.refresh()

    def _save(self) -> tuple:
        """The kind of what was saved, and in how many slices there is something."""
        (node, volume), run, case = self._nodes(), self.panel.run, self.case
        axis = self.panel.data.reader.axisOf(case)
        amount = annotating.amount(node, volume, axis=axis)
        if amount.is_empty:
            raise BadSetting(
                _("Nothing is painted yet, and no slice is marked as complete."),
                _("Paint in the Segment Editor first."),
            )
        kind = annotating.kind_of(node)
        scribbles = kind == annotating.SCRIBBLES
        run.create()
        annotation_files.keep_image(run, self.panel.data.reader.case(case))
        path = annotation_files.annotation_path(run, case, scribbles=scribbles)
        annotating.save_annotation(node, volume, path, axis=axis)
        annotation_files.forget_other(run, case, scribbles=scribbles)
        annotation_files.note_amount(run, case, slices=len(amount.known), kind=kind)
        return kind, len(amount.known)

    def _nodes(self):
        return annotating.annotation_of(self.case), self.panel.data.volumeOf(self.case)

    def refresh(self) -> None:
        panel, ui = self.panel, self.ui
        noRun = "" if panel.run else _("Choose a run folder in step 1.")
        noData = noRun or ("" if panel.data.reader.cases else _("Choose a data folder in step 1."))
        hasModel = panel.state.isPretrained or panel.state.finishedRounds
        noModel = "" if hasModel else _("Pre-train in step 2 first: suggestions are based on it.")
        reason = panel.why_no_job(noData, noModel)
        state_line.allow(self.box.start, reason, _("Ranks cases and slices by what they would add"))
        noNames = "" if structures.wanted(panel).structures else _("Name the structures first.")
        state_line.allow(ui.annotateButton, noData or noNames, _("Opens the case selected in step 1"))
        node, volume = self._nodes() if self.case else (None, None)
        noNode = "" if node is not None and volume is not None else _("Open a case for annotation first.")
        kind = annotating.kind_of(node) if node is not None else panel.parameters.annotationKind
        self._showKind(kind)
        noMark = noNode or annotation_kinds.whyNoMark(kind)
        state_line.allow(ui.completeButton, noMark, _("What is not painted in this slice is background"))
        state_line.allow(
            ui.saveAnnotationButton, noNode, _("Saves it in the run folder, with a copy of the image")
        )
        marks = len(annotating.complete_slices(node)) if node is not None and not noMark else 0
        text = annotation_kinds.counted(panel.state.annotated)
        marked = _("; slices of this case marked complete: {n}").format(n=marks) if marks else ""
        ui.annotationCounts.text = text + marked
        self._showState(noData or noNames)

    def _showKind(self, kind: str) -> None:
        """The kind of the open case; it is not the user who chose it now."""
        combo = self.ui.annotationKind
        wasBlocked = combo.blockSignals(True)
        combo.currentIndex = max(0, combo.findData(kind))
        combo.blockSignals(wasBlocked)
        self.ui.annotationKindCaption.text = annotation_kinds.caption(combo.currentData)

    def _showState(self, missing: str) -> None:
        annotated = self.panel.state.annotated
        if self.panel.jobName == "suggest":
            self.show(state_line.WORKING, _("ranking cases and slices"))
        elif annotated.cases or annotated.scribbles:
            self.show(state_line.DONE, annotation_kinds.counted(annotated))
        elif missing:
            self.show(state_line.MISSING, missing)
        else:
            self.show(state_line.READY, _("select a case in step 1 or a suggestion, and annotate it"))


def _otherThan(source, node):
    """The annotation, unless it is a correction of this very prediction: that one goes on."""
    goesOn = node is None or node.GetAttribute(BEGAN_WITH) == predictions.version(source)
    return None if goesOn else node


def _jumpToSlice(volume, axis: int, index: int) -> None:
    """Move all slice views to the middle of one slice of the volume."""
    center = [(n - 1) / 2 for n in volume.GetImageData().GetDimensions()]
    center[axis] = index
    nodes.jump_to(volume, tuple(center))
