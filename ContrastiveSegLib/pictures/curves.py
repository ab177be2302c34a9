"""Loss curves of runs, read from their events."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ContrastiveSegLib.pictures.overview import save
from ContrastiveSegLib.runs.events import read_new
from ContrastiveSegLib.runs.run_folder import RunFolder


def draw_curves(path: Path, panels: Mapping[str, Mapping[str, tuple[RunFolder, str]]]) -> None:
    """One panel per title, one curve per run and loss term.

    Args:
        panels: Title of the panel, name of the curve, then the run and the job whose losses are drawn.

    Raises:
        CannotWrite: The picture cannot be written.
    """
    figure = Figure(figsize=(5.5 * len(panels), 4), layout="constrained")
    for panel, (title, curves) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        for name, (run, job) in curves.items():
            for term, (steps, values) in loss_curves(run, job).items():
                panel.plot(steps, values, label=f"{name}: {term}", linewidth=1.2)
        panel.set_title(title)
        panel.set_xlabel("step")
        panel.set_ylabel("loss")
        panel.grid(alpha=0.3)
        panel.legend()
    save(path, figure)


def loss_curves(run: RunFolder, job: str) -> dict[str, tuple[list[int], list[float]]]:
    """Loss term to its steps and values. Steps that a resumed job repeated are drawn as they were last."""
    curves: dict[str, dict[int, float]] = {}
    for event in _progress(run, job):
        for term, value in event.get("terms", {}).items():
            if value is not None:
                curves.setdefault(term, {})[event["step"]] = value
    return {term: (sorted(points), [points[s] for s in sorted(points)]) for term, points in curves.items()}


def _progress(run: RunFolder, job: str) -> list[dict[str, Any]]:
    events, _ = read_new(run.events)
    return [event for event in events if event["kind"] == "progress" and event.get("job") == job]
