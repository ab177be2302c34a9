"""The gate: what departs too far from the coarse outline is refused.

Models of the SAM family find something in every box. Without a gate they may replace a lesion by the organ
around it; with it they sharpen what is nearly right and leave the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

from ContrastiveSegLib.prompting._model import Mask

# Half to twice the area: beyond that it is another structure.
SMALLEST_RATIO, LARGEST_RATIO = 0.5, 2.0


@dataclass(frozen=True)
class Verdict:
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


def judge(new: Mask, old: Mask, smallest_overlap: float) -> Verdict:
    """Compare a new outline with the coarse one.

    Args:
        smallest_overlap: Intersection over union, 0...1; 0 lets everything pass.
    """
    overlap = overlap_of(new, old)
    if smallest_overlap <= 0:
        return Verdict(overlap)
    if not new.any():
        return Verdict(overlap, "nothing was found")
    ratio = float(new.sum() / max(1, old.sum()))
    if overlap < smallest_overlap:
        return Verdict(overlap, f"overlap {overlap:.2f} is below {smallest_overlap:.2f}")
    if not SMALLEST_RATIO <= ratio <= LARGEST_RATIO:
        return Verdict(overlap, f"{ratio:.2f} times the area")
    return Verdict(overlap)


def overlap_of(one: Mask, other: Mask) -> float:
    """Intersection over union; two empty masks agree."""
    union = int((one | other).sum())
    return float((one & other).sum() / union) if union else 1.0
