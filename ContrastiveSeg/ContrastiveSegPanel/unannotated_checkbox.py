"""The check box "Also learn from the scans nobody annotated": when it can be set, and what it costs."""

from slicer.i18n import tr as _

from ContrastiveSegLib.errors import ContrastiveSegError
from ContrastiveSegLib.preprocessing.plan import FEWEST_SCANS
from ContrastiveSegLib.settings.method_catalog import strategies_with_scans
from ContrastiveSegLib.slicer_bridge import annotation_files

from . import state_line

SELF_TRAINING = "self_training"
WITHOUT, WITHOUT_FROM_SCRIBBLES = "supervised", "pclmix"  # the first one needs whole slices


class UnannotatedCheckBox:
    """The check box and the line below it.

    Args:
        panel: The Panel.
        menu: The MethodMenu of the strategies, which the tick follows and sets.
        onChange: Called after a click.
    """

    def __init__(self, panel, menu, onChange) -> None:
        self._panel, self._menu, self._onChange = panel, menu, onChange
        self._box, self._line = panel.ui.learnUnannotated, panel.ui.learnUnannotatedLine
        self._box.connect("clicked(bool)", self.onClick)
        self._fromData = False

    def onClick(self, isOn: bool) -> None:
        """Take the strategy that learns from these scans, or the one that does not."""
        strategy = SELF_TRAINING if isOn else self._without()
        self._menu.choose(strategy, self._panel.parameters.finetuneOptions)
        self._onChange()

    def automatic(self, fromData: bool) -> str:
        """The strategy as long as the user has chosen none.

        Args:
            fromData: Whether the labels of the data folder are learned from, not the annotations of the run.
        """
        self._fromData = fromData
        return self._without() if self._whyNot(fromData) else SELF_TRAINING

    def settings(self, fromData: bool) -> dict:
        """The settings of the job besides its strategy."""
        if (
            "unlabeled" in self._named()
            or self._menu.entry.name not in strategies_with_scans()
            or self._whyNot(fromData)
        ):
            return {}
        return {"unlabeled": self._panel.parameters.dataFolder}

    def refresh(self, fromData: bool, isFree: bool) -> None:
        """Show whether it is set and what it costs.

        Args:
            isFree: Whether the user may change settings now.
        """
        reason = self._whyNot(fromData)
        isOn = not reason and self._menu.entry.name in strategies_with_scans()
        self._box.setChecked(isOn)  # clicked(bool) tells of the user's clicks alone
        tip = _("Predicts labels of these scans and learns from them, too; unusual predictions are left out")
        state_line.allow(self._box, reason, tip)
        self._box.enabled = not reason and isFree
        self._line.text = self._costs(len(self._scans(fromData)), self._patients(fromData)) if isOn else ""

    def _without(self) -> str:
        """The strategy that learns from annotations alone."""
        hasScribbles = not self._fromData and self._panel.state.annotated.scribbles
        return WITHOUT_FROM_SCRIBBLES if hasScribbles else WITHOUT

    def _costs(self, scans: int, patients: int) -> str:
        if self._menu.entry.name != SELF_TRAINING:
            text = _("Each step also learns from parts of {n} scans without annotation, and takes longer.")
            return text.format(n=scans)
        if patients > (most := int(self._menu.option("most_patients"))):
            text = _(
                "{patients} patients are annotated; with more than {most} only these teach. "
                "'annotated patients, at most' below changes that."
            )
            return text.format(patients=patients, most=most)
        rounds = int(self._menu.option("rounds"))
        text = _(
            "Takes up to {n} times as long. Rounds: {rounds}. In each, the network predicts {scans} scans "
            "and learns on."
        )
        return text.format(n=rounds + 1, scans=scans, rounds=rounds)

    def _whyNot(self, fromData: bool) -> str:
        if not self._panel.parameters.dataFolder:
            return _("Choose a data folder in step 1.")
        if "unlabeled" in self._named():
            return ""
        count = len(self._scans(fromData))
        text = _("At least {n} scans without annotation are needed; the data folder has {count}.")
        return "" if count >= FEWEST_SCANS else text.format(n=FEWEST_SCANS, count=count)

    def _named(self) -> dict:
        """What the user changed in the form; Start reports text that cannot be understood."""
        try:
            return self._menu.values()
        except ContrastiveSegError:
            return {}

    def _patients(self, fromData: bool) -> int:
        """How many patients are annotated."""
        known, cases = self._inRun(fromData), self._panel.data.reader.cases
        annotated = [c for c in cases if c.name in known or (fromData and (c.labels or c.scribbles))]
        return len({case.patient for case in annotated})

    def _inRun(self, fromData: bool) -> frozenset:
        """The cases with an annotation in the run folder, where these are learned from."""
        run = self._panel.run
        return annotation_files.annotated_cases(run) if run is not None and not fromData else frozenset()

    def _scans(self, fromData: bool) -> list:
        """The cases of the data folder that nobody annotated."""
        reader, known = self._panel.data.reader, self._inRun(fromData)
        return [
            case
            for case in reader.cases
            if case.name not in reader.unreadable
            and case.name not in known
            and not (fromData and (case.labels or case.scribbles))
        ]
