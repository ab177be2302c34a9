"""Step 6, evaluate: compare the predictions with labels that a person drew."""

from slicer.i18n import tr as _

from .job_step import JobStep


class PanelStep(JobStep):
    """The table of the job is shown in the log."""

    def __init__(self, panel) -> None:
        super().__init__(panel, _("6. Evaluate (optional)"), job="evaluate", fields=("labels",))

    def settings(self) -> dict:
        return {"predictions": str(self.panel.run.predictions)}

    def whyNot(self) -> str:
        if self.panel.run is None:
            return _("Choose a run folder in step 1.")
        if not self.panel.state.predicted:
            return _("Segment cases in step 5 first.")
        if not self.form.values():
            return _("Choose the folder with true labels of cases that were not annotated for fine-tuning.")
        return ""
