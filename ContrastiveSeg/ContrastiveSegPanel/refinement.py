"""Below step 5: improve the shown prediction with a promptable model, as another segmentation."""

import glob
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from ContrastiveSegLib.errors import ContrastiveSegError

from . import job_words, predicted_volume, state_line
from .prompted_step import PromptedStep


class Refinement(PromptedStep):
    """The prediction in the run folder stays as it is."""

    def __init__(self, panel) -> None:
        super().__init__(panel, "refine", event="refined", makes=("masks",), text=_("Refine"))

    def onStart(self) -> None:
        """Refine the prediction that is shown."""
        case, volume = self.panel.predict.case, self.panel.predict.volume()
        try:
            settings = self._settings(case, volume)
        except ContrastiveSegError as error:
            self.fail(str(error))
            return
        self.panel.startJob("refine", settings, volume=volume.GetID())

    def _settings(self, case: str, volume) -> dict:
        """A case of the data folder is read from its own file, any other volume from the scene."""
        panel = self.panel
        isCase = panel.data.volumeOf(case) is volume
        images = (
            {"images": panel.parameters.dataFolder} if isCase else predicted_volume.export(volume, panel.run)
        )
        return {
            "run": str(panel.run.path),
            **images,
            "output": str(panel.run.refined),
            "cases": {"only": [glob.escape(case)]},
            "overwrite": True,
            **self.choice.settings(),
        }

    def onEnd(self, job, outcome, extra) -> None:
        super().onEnd(job, outcome, extra)
        if outcome.kind != job_words.DONE or not self._result.get("case"):
            return
        case, path = self._result["case"], Path(self._result["file"])
        volume = slicer.mrmlScene.GetNodeByID(extra["volume"]) if extra else self.panel.data.volumeOf(case)
        if volume is None:
            self.showMessage(_("The volume was closed meanwhile; the result is in {path}").format(path=path))
            return
        self.panel.predict.showResult(case, volume, path=path)
        counts = {key: self._result.get(key, 0) for key in ("accepted", "asked")}
        self.showMessage(_("{accepted} of {asked} outlines were refined; the others stay.").format(**counts))

    def refresh(self) -> None:
        panel = self.panel
        noRun = "" if panel.run else _("Choose a run folder in step 1.")
        isShown = panel.predict.isShown() and panel.predict.volume() is not None
        noResult = "" if isShown else _("Show a prediction first.")
        missing = noRun or noResult or self.choice.whyNot()
        tip = _("A new segmentation node; earlier refined labels are replaced")
        state_line.allow(self.box.start, panel.why_no_job(missing), tip)
        if panel.jobName == "refine":
            self.show(state_line.WORKING, _("refining slice after slice"))
        elif missing:
            self.show(state_line.MISSING, missing)
        else:
            self.show(state_line.READY, _("outlines that differ too much from the prediction are refused"))
