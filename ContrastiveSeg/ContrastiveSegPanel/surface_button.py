"""The button "Show in 3D": surfaces of large volumes take long, so they are made when they are asked for."""

from slicer.i18n import tr as _

from ContrastiveSegLib.slicer_bridge import predictions

from . import state_line


class SurfaceButton:
    """One button of a step that shows results.

    Args:
        step: It says that it works.
        shown: Gives the segmentation that is seen, or None.
    """

    def __init__(self, button, step, shown) -> None:
        self._button, self._step, self._shown = button, step, shown
        button.connect("clicked()", self.onClick)

    def onClick(self) -> None:
        """Make the surfaces of what is seen, in a layout with a 3D view."""
        node = self._shown()
        self._step.panel.plots.giveWay()
        with self._step.busy(_("making the surfaces of {name}").format(name=node.GetName())):
            predictions.show_in_3d(node)
        self.refresh("")

    def refresh(self, noResult: str) -> None:
        """Say whether there is something to show.

        Args:
            noResult: Why nothing is shown; "" if something is.
        """
        node = self._shown()
        isDone = node is not None and predictions.has_surfaces(node)
        done = _("It is shown in 3D already.") if isDone else ""
        state_line.allow(self._button, noResult or done, _("In a large volume this takes some seconds"))
