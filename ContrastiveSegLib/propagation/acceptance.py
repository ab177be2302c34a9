"""Acceptance: refuse a new outline that differs too much from the coarse one, or lies on a fainter border.

Models of the SAM family find something in every box. Without this test they may replace a lesion by the organ
around it. With it they improve outlines that are nearly right, and leave the others as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

from scipy import ndimage

from ContrastiveSegLib.sam._model import Mask, Slice

# Half to twice the area: beyond that it is another structure.
SMALLEST_RATIO, LARGEST_RATIO = 0.5, 2.0
# Pixels on each side of a border that are compared; 1 and 3 did about as well on six cardiac patients.
RIM = 2


@dataclass(frozen=True)
class Acceptance:
    """Whether a new outline may replace the old one.

    Args:
        overlap: Intersection over union of both.
        reason: Why it was refused; "" if it was accepted.
    """

    overlap: float
    reason: str = ""

    @property
    def accepted(self) -> bool:
        """Whether nothing spoke against it."""
        return not self.reason


def judge(new: Mask, old: Mask, smallest_overlap: float) -> Acceptance:
    """Compare a new outline with the coarse one.

    Args:
        smallest_overlap: Intersection over union, 0...1; with 0 everything is accepted.
    """
    overlap = overlap_of(new, old)
    if smallest_overlap <= 0:
        return Acceptance(overlap)
    if not new.any():
        return Acceptance(overlap, "nothing was found")
    ratio = float(new.sum() / max(1, old.sum()))
    if overlap < smallest_overlap:
        return Acceptance(overlap, f"overlap {overlap:.2f} is below {smallest_overlap:.2f}")
    if not SMALLEST_RATIO <= ratio <= LARGEST_RATIO:
        return Acceptance(overlap, f"{ratio:.2f} times the area")
    return Acceptance(overlap)


def judge_border(new: Mask, old: Mask, image: Slice) -> str:
    """Why a new outline fits the gray values (H, W) less than the coarse one; "" if it does not."""
    before, after = contrast_across(old, image), contrast_across(new, image)
    return "" if after >= before else f"its border is fainter: {after:.0f} gray values against {before:.0f}"


def contrast_across(border_of: Mask, image: Slice) -> float:
    """How far the mean gray values (H, W) inside and outside of a border are apart; 0 without a border."""
    inside = border_of & ~ndimage.binary_erosion(border_of, iterations=RIM)
    outside = ndimage.binary_dilation(border_of, iterations=RIM) & ~border_of
    if not inside.any() or not outside.any():
        return 0.0
    return abs(float(image[inside].mean()) - float(image[outside].mean()))


def overlap_of(one: Mask, other: Mask) -> float:
    """Intersection over union; two empty masks agree."""
    union = int((one | other).sum())
    return float((one & other).sum() / union) if union else 1.0
