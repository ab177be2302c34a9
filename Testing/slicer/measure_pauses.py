"""How long the window stands still: the largest gap between two ticks of a 10 ms timer, step by step.

.venv-slicer/bin/python -m Testing.slicer.measure_pauses [--shape K H W] [--steps N] [--folder FOLDER]

The panel is clicked under the test host on phantoms, with real jobs in another Python. A row names the
largest gap of a step, and how much of it this process computed; else it waited for a disk, or for a core
that others used.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
ROOT = Path(__file__).parents[2]
TICK_MS = 10
STRUCTURES = "liver, heart wall, heart cavity, kidneys, pancreas"


class Pauses:
    """Watches a timer of the event loop.

    Args:
        process_events: Lets Qt run once.
    """

    def __init__(self, process_events: Callable[[], None]) -> None:
        import qt

        self._process_events = process_events
        self._timer = qt.QTimer()
        self._timer.setInterval(TICK_MS)
        self._timer.connect("timeout()", self._tick)
        self._timer.start()
        self.found: dict[str, tuple[float, float]] = {}
        self._worst, self._last = (0.0, 0.0), self._now()

    @contextmanager
    def during(self, name: str) -> Iterator[None]:
        """Remember the largest gap of what happens meanwhile."""
        self._settle()
        self._worst = (0.0, 0.0)
        yield
        self._settle()
        self.found[name] = self._worst
        print(f"| {name} | {1000 * self._worst[0]:.0f} | {1000 * self._worst[1]:.0f} |", flush=True)

    def _settle(self) -> None:
        """Until two ticks came: what was called directly lies between two of them, too."""
        for _ in range(2):
            before = self._last
            while self._last == before:
                self._process_events()
                time.sleep(0.002)

    def _now(self) -> tuple[float, float]:
        return time.perf_counter(), time.process_time()

    def _tick(self) -> None:
        now = self._now()
        gap = (now[0] - self._last[0], now[1] - self._last[1])
        self._worst, self._last = max(self._worst, gap), now


def main(options: argparse.Namespace) -> None:
    """The whole story, once."""
    os.environ.setdefault("CONTRASTIVESEG_ENGINE_PYTHON", str(ROOT / ".venv" / "bin" / "python"))
    sys.path.insert(0, str(ROOT))
    from Testing.slicer_host.fixtures import SlicerForTests
    from Testing.slicer_host.host import start

    host = start()
    from Testing.slicer.panel_fixtures import MODULE, PanelInTest

    in_test = SlicerForTests(host)
    panel = PanelInTest(in_test, in_test.open_panel(MODULE))
    from ContrastiveSegLib.phantoms.phantom import PhantomCounts, write_phantom_folder

    data = options.folder / "phantoms"
    if not data.is_dir():
        write_phantom_folder(data, PhantomCounts(unlabeled=12, labeled=4, test=4), shape=tuple(options.shape))
    print("| step | largest gap, ms | of it computed, ms |\n|---|---|---|")
    _story(panel, Pauses(panel.slicer.process_events), data, options)


def _story(panel: Any, pauses: Pauses, data: Path, options: argparse.Namespace) -> None:
    import slicer

    ui = panel.ui
    with pauses.during("open the data folder"):
        panel.choose(data, options.folder / "run")
    panel.child("pretraining_steps").text = str(options.steps)
    with pauses.during("pre-train, with curves"):
        panel.job("pretrain")
    with pauses.during("suggest"):
        panel.job("suggest")
    panel.type(ui.structures, STRUCTURES)
    panel.panel.plots.restore(panel.child("pretrainCurves"))
    with pauses.during("load a case"):
        panel.double_click(ui.caseTable, 0)
    with pauses.during("open it for annotation"):
        panel.panel.annotate.open("phantom_001")
    slicer.util.selectModule("ContrastiveSeg")
    ui.annotationKind.currentIndex = 1
    with pauses.during("save the annotation"):
        ui.saveAnnotationButton.click()
    ui.labelsFrom.currentIndex = 1
    panel.child("finetuning_steps").text = str(options.steps)
    panel.child("finetuning_cases_leave_out").text = "phantom_005"
    with pauses.during("fine-tune, with curves"):
        panel.job("finetune")
    volume = panel.panel.data.load("phantom_005")
    ui.inputVolume.setCurrentNode(volume)
    shown, showResult = [], panel.panel.predict.showResult
    panel.panel.predict.showResult = lambda *case, **_path: shown.append(case)
    with pauses.during("predict"):
        panel.job("predict")
    with pauses.during("show the result in 2D and 3D"):
        showResult(*shown[0])
    with pauses.during("show the uncertainty"):
        ui.showUncertainty.click()
    with pauses.during("choose another run folder"):
        ui.runFolder.currentPath = str(options.folder / "other")
    with pauses.during("open the run folder again"):
        ui.runFolder.currentPath = str(options.folder / "run")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", type=int, nargs=3, default=(24, 112, 112), metavar=("K", "H", "W"))
    parser.add_argument("--steps", type=int, default=40, help="of pre-training and of fine-tuning")
    parser.add_argument("--folder", type=Path, help="for data and run; empty: a temporary one")
    chosen = parser.parse_args()
    chosen.folder = chosen.folder or Path(tempfile.mkdtemp(prefix="pauses_"))
    main(chosen)
    os._exit(0)  # Qt's off-screen windows have no user to close them
