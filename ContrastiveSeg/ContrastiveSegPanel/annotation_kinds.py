"""The three kinds of annotation in the panel's words: what unpainted voxels mean."""

from slicer.i18n import tr as _

from ContrastiveSegLib.slicer_bridge.annotating import CASES, SCRIBBLES, SLICES


def name(kind: str) -> str:
    """For the menu."""
    return {SLICES: _("Some slices"), CASES: _("Whole volume"), SCRIBBLES: _("Scribbles")}[kind]


def caption(kind: str) -> str:
    """One line that says what unpainted voxels mean."""
    return {
        SLICES: _("Painted or marked slices are complete; the other slices stay open."),
        CASES: _("What is not painted is background, in every slice."),
        SCRIBBLES: _("Only painted voxels count; paint strokes of 'background', too."),
    }[kind]


def saved(kind: str) -> str:
    """What to say after saving, with places for case and n."""
    return {
        SLICES: _("{case} is saved; complete slices: {n}"),
        CASES: _("{case} is saved as a whole volume"),
        SCRIBBLES: _("{case} is saved; slices with scribbles: {n}"),
    }[kind]


def whyNoMark(kind: str) -> str:
    """Why no slice can be marked as complete; "" if one can."""
    return {
        SLICES: "",
        CASES: _("In a whole volume every slice is complete."),
        SCRIBBLES: _("In scribbles only painted voxels count; paint 'background' instead."),
    }[kind]


def counted(annotated) -> str:
    """How much is annotated in a run."""
    if not annotated.cases and not annotated.scribbles:
        return _("No case is annotated yet")
    parts = []
    if annotated.whole:
        parts.append(_("whole: {n}").format(n=annotated.whole))
    if annotated.cases > annotated.whole:
        words = _("in some slices: {n} (slices: {slices})")
        parts.append(words.format(n=annotated.cases - annotated.whole, slices=annotated.slices))
    if annotated.scribbles:
        parts.append(_("with scribbles: {n}").format(n=annotated.scribbles))
    return _("Annotated cases {parts}").format(parts=", ".join(parts))
