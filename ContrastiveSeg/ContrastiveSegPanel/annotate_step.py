"""Step 3, annotate: what to annotate next, in the Segment Editor, saved in the run folder."""

from slicer.i18n import tr as _

from ContrastiveSegLib.errors import ContrastiveSegError
from ContrastiveSegLib.slicer_bridge import annotating, annotation_files, nodes

from . import job_words, segment_editor, state_line, structures, suggestions, table_rows
from .job_box import JobBox
from .step import Step


class AnnotateStep(Step):
    """Suggestions, the Segment Editor, marks of complete slices, saving."""

    def __init__(self, panel) -> None:
        super().__init__(panel, panel.ui.annotateState)
        ui = self.ui
        table_rows.style(ui.suggestionTable)
        self.box = JobBox(ui.suggestJob, "suggest", self.onSuggest, panel.cancel)
        self.box.start.text = _("Suggest what to annotate next")
        ui.suggestionTable.connect("cellClicked(int,int)", self.onSuggestion)
        ui.annotateButton.connect("clicked()", self.onAnnotate)
        ui.completeButton.connect("clicked()", self.onComplete)
        ui.saveAnnotationButton.connect("clicked()", self.onSave)
        ui.structures.connect("editingFinished()", self.onStructures)
        ui.scribbles.connect("toggled(bool)", self.onScribbles)
        self.case = ""

    def fill(self) -> None:
        parameters = self.panel.parameters
        self.ui.structures.text = parameters.structures
        self.ui.scribbles.checked = parameters.scribbles

    def onStructures(self) -> None:
        """The names of the task's segments."""
        self.panel.parameters.structures = self.ui.structures.text
        self.refresh()

    def onScribbles(self, isOn: bool) -> None:
        """Scribbles leave voxels open; whole cases and slices do not."""
        self.panel.parameters.scribbles = bool(isOn)
        self.refresh()

    def onSuggest(self) -> None:
        """Rank cases and slices."""
        panel = self.panel
        annotated = annotation_files.annotated_cases(panel.run)
        settings = suggestions.settings(
            panel.run,
            panel.parameters.dataFolder,
            count=self.ui.suggestCount.value,
            free=sum(case.name not in annotated for case in panel.data.reader.cases),
            hasAnnotations=bool(annotated),
        )
        panel.startJob("suggest", settings)

    def onEnd(self, job, outcome, extra) -> None:
        super().onEnd(job, outcome, extra)
        if outcome.kind == job_words.DONE:
            self.replay([])

    def replay(self, _events) -> None:
        found = suggestions.read(self.panel.run)
        columns = (_("What"), _("Case"), _("Slice"), _("Score"), _("Reason"))
        kinds = {"case": _("whole case"), "slice": _("slice")}
        rows = [
            (
                kinds.get(s.kind, s.kind),
                s.case,
                "" if s.slice is None else s.slice,
                round(s.score, 2),
                s.reason,
            )
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
            source: A file to begin with; else the saved annotation, else the labels beside the image.
        """
        panel = self.panel
        volume = panel.data.load(case)
        if volume is None:
            return None
        self._failure = ""
        found = panel.data.reader.case(case)
        saved = annotation_files.find_annotation(panel.run, case)
        axis = panel.data.reader.axisOf(case) if axis is None else axis
        try:
            node = annotating.begin_annotation(
                case,
                volume,
                structures.wanted(panel),
                source=source or saved or (found.labels if found else None),
                scribbles=panel.parameters.scribbles,
                axis=axis,
            )
        except (ContrastiveSegError, RuntimeError) as error:
            self.fail(str(error))
            return None
        self.case = case
        segment_editor.open_(node, volume)
        if index is not None:
            center = [(n - 1) / 2 for n in volume.GetImageData().GetDimensions()]
            center[axis] = index
            nodes.jump_to(volume, tuple(center))
        self.refresh()
        return node

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
        self.say(words.format(n=index))
        self.refresh()

    def onSave(self) -> None:
        """Save the annotation, and a copy of the image, in the run folder."""
        node, volume = self._nodes()
        panel, case = self.panel, self.case
        axis = panel.data.reader.axisOf(case)
        amount = annotating.amount(node, volume, axis=axis)
        if amount.is_empty:
            self.fail(_("Nothing is painted yet, and no slice is marked as complete."))
            return
        isScribbles = panel.parameters.scribbles
        try:
            panel.run.create()
            annotation_files.keep_image(panel.run, panel.data.reader.case(case))
            path = annotation_files.annotation_path(panel.run, case, scribbles=isScribbles)
            annotating.save_annotation(node, volume, path, axis=axis)
            slices = len(set(amount.painted) | set(amount.complete))
            annotation_files.note_amount(panel.run, case, slices=slices, scribbles=isScribbles)
        except ContrastiveSegError as error:
            self.fail(str(error))
            return
        self._failure = ""
        self.say(_("{case} is saved: {n} slices").format(case=case, n=slices))
        panel.refresh()

    def _nodes(self):
        return annotating.annotation_of(self.case), nodes.find_volume(self.case)

    def refresh(self) -> None:
        panel, ui = self.panel, self.ui
        noRun = "" if panel.run else _("Choose a run folder in step 1.")
        noData = noRun or ("" if panel.data.reader.cases else _("Choose a data folder in step 1."))
        hasModel = panel.state.isPretrained or panel.state.finishedRounds
        noModel = "" if hasModel else _("Pre-train in step 2 first: suggestions rest on it.")
        reason = panel.why_not(noData, noModel)
        state_line.allow(self.box.start, reason, _("Rank cases and slices by what they would teach"))
        noNames = "" if structures.wanted(panel).structures else _("Name the structures first.")
        state_line.allow(ui.annotateButton, noData or noNames, _("Opens the case selected in step 1"))
        node, volume = self._nodes() if self.case else (None, None)
        noNode = "" if node is not None and volume is not None else _("Open a case for annotation first.")
        state_line.allow(ui.completeButton, noNode, _("What is not painted in this slice is background"))
        state_line.allow(
            ui.saveAnnotationButton, noNode, _("Saves it in the run folder, with a copy of the image")
        )
        marks = len(annotating.complete_slices(node)) if node is not None else 0
        ui.annotationCounts.text = _counts(panel.state.annotated, marks)
        self._showState(noData or noNames)

    def _showState(self, missing: str) -> None:
        annotated = self.panel.state.annotated
        if self.panel.jobName == "suggest":
            self.show(state_line.WORKING, _("ranking cases and slices"))
        elif annotated.cases or annotated.scribbles:
            self.show(state_line.DONE, _counts(annotated, 0))
        elif missing:
            self.show(state_line.MISSING, missing)
        else:
            self.show(state_line.READY, _("select a case in step 1 or a suggestion, and annotate it"))


def _counts(annotated, marks: int) -> str:
    text = _("{cases} annotated cases ({slices} slices), {scribbles} with scribbles").format(
        cases=annotated.cases, slices=annotated.slices, scribbles=annotated.scribbles
    )
    return text + (_("; {n} slices of this case marked complete").format(n=marks) if marks else "")
