"""Cases whose field of view fits no other's: headers that give meters or microns among millimeters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ContrastiveSegLib.imaging.volume import Geometry

# A knee and a whole body differ by 30 at most, a wrong unit by a factor of 1000.
WRONG_UNIT = 100.0
ALIKE = 30.0
USUAL_MM = 200.0


def remarks_on_units(geometries: Sequence[Geometry]) -> tuple[str, ...]:
    """For each case what its size says about the unit of its header; "" if it is like most others.

    Where two groups are equally large, the one nearer to the size of a body part counts as right.
    """
    if not geometries:
        return ()
    views = np.log([max(np.multiply(geometry.size, geometry.spacing)) for geometry in geometries])
    ordered = np.sort(views)
    alike = np.searchsorted(ordered, views + np.log(ALIKE), "right") - np.searchsorted(
        ordered, views - np.log(ALIKE), "left"
    )
    most = views[np.lexsort((np.abs(views - np.log(USUAL_MM)), -alike))[0]]
    usual = np.median(views[np.abs(views - most) <= np.log(ALIKE)])
    return tuple(_remark(view, usual) for view in views)


def _remark(view: float, usual: float) -> str:
    factor = np.exp(abs(view - usual))
    if factor < WRONG_UNIT:
        return ""
    times = f"{float(f'{factor:.2g}'):g}"
    how, unit = ("larger", "microns") if view > usual else ("smaller", "meters")
    return (
        f"Its field of view, {np.exp(view):.3g} mm, is {times} times {how} than that of the "
        f"other cases, {np.exp(usual):.3g} mm: its header may give {unit} instead of mm. Correct its voxel "
        "size, or leave it out."
    )
