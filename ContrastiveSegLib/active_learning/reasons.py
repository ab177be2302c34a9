"""Why something is suggested, in words."""

from __future__ import annotations

from ContrastiveSegLib.active_learning.representatives import Pick

NEW, ALIKE = 0.75, 0.25  # of all that is not annotated: the quarters farthest from and nearest to annotations
PLURAL = {"case": "cases", "slice": "slices"}


def reason(
    kind: str,
    pick: Pick,
    *,
    strategy: str,
    novelty: float | None,
    nearest: str,
    doubt: float | None,
) -> str:
    """A sentence without full stop, such as "typical of 18 % of all slices; not like any annotated one".

    Args:
        kind: "case" or "slice".
        novelty: Share of what is not annotated that is no farther from all annotations; None without any.
        nearest: Name of the annotated item it resembles most.
        doubt: Share of the collection that a first model is surer of; None without a model.
    """
    all_of_them = f"{_percent(pick.share)} of all {PLURAL[kind]}"
    nearest_to_it = f"{all_of_them} resemble it most"
    of_group = {
        "coverage": nearest_to_it,
        "typicality": f"typical of {all_of_them}",
        "k_center": nearest_to_it,
    }
    return "; ".join(
        part for part in (of_group[strategy], _new(novelty, nearest, kind), _doubtful(doubt, kind)) if part
    )


def _new(novelty: float | None, nearest: str, kind: str) -> str:
    if novelty is None:
        return ""
    if novelty >= NEW:
        return "not like any annotated one"
    if novelty > ALIKE:
        return f"somewhat like {nearest}"
    return f"like the annotated {'case' if kind == 'case' else 'slice of'} {nearest}"


def _doubtful(doubt: float | None, kind: str) -> str:
    if doubt is None:
        return ""
    if doubt < 0.5:
        return f"the model is surer here than in {_percent(1 - doubt)} of all {PLURAL[kind]}"
    return f"the model is less sure here than in {_percent(doubt)} of all {PLURAL[kind]}"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %" if share >= 0.01 else f"{share * 100:.1f} %"
