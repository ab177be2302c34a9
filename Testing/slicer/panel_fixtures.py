"""What the tests of the panel need: phantoms on disk, the opened panel, and waiting for its jobs."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ContrastiveSegLib.phantoms.phantom import PhantomCounts, write_phantom_folder
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.slicer_bridge import case_listing, process

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "ContrastiveSeg" / "ContrastiveSeg.py"
SELF_TEST = MODULE.parent / "Testing" / "Python"
LIST = "list"  # the job that looks through a folder
PATIENCE = 5  # with a busy computer; a test that passes waits no longer for it
# Flags and commands: for those who type, not for those who click.
TERMINAL_WORDS = re.compile(r"(?<![\w-])--[a-z]|\bcommands?\b|python -m ")
ENGINE_PYTHON = Path(os.environ.get("CONTRASTIVESEG_ENGINE_PYTHON", ROOT / ".venv" / "bin" / "python"))


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six small patients, some tilted and flipped: two with labels, two to test, two without."""
    folder = tmp_path_factory.mktemp("data") / "phantoms"
    write_phantom_folder(folder, PhantomCounts(unlabeled=2, labeled=2, test=2), shape=(10, 48, 48), seed=3)
    return folder


@pytest.fixture(scope="session")
def learned(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run as the stand-in leaves it: pre-trained, one round, all phantoms predicted. Copies are used."""
    run = tmp_path_factory.mktemp("learned") / "run"
    engine = _stand_in()
    labeled, images = {"labeled": str(phantoms)}, {"images": str(phantoms)}
    for job, order in (("pretrain", images), ("finetune", labeled), ("predict", images)):
        settings = run.parent / f"{job}.json"
        settings.write_text(json.dumps({job: {"run": str(run), **order}}), encoding="utf-8")
        assert engine.main([job, "--settings", str(settings)]) == 0
    return run


def _stand_in() -> Any:
    """The stand-in for the engine, in this process and without its pauses."""
    path = SELF_TEST / "ContrastiveSegSelfTest" / "engine.py"
    spec = importlib.util.spec_from_file_location("stand_in_for_tests", path)
    assert spec is not None
    assert spec.loader is not None
    engine = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(engine)
    engine.STEP_S = 0.0
    return engine


@pytest.fixture
def a_learned_run(learned: Path, tmp_path: Path) -> Path:
    """A run folder in which all was done, of this test alone."""
    return Path(shutil.copytree(learned, tmp_path / "run"))


@pytest.fixture
def a_trained_run(a_learned_run: Path) -> Path:
    """Pre-trained, and one round of fine-tuning; nothing is predicted yet."""
    shutil.rmtree(RunFolder(a_learned_run).predictions)
    return a_learned_run


@pytest.fixture
def a_pretrained_run(a_trained_run: Path) -> Path:
    """Pre-trained, and nothing else."""
    shutil.rmtree(RunFolder(a_trained_run).finetune(1).parent)
    return a_trained_run


@pytest.fixture(scope="session")
def listed(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What another process tells of the phantoms, asked once."""
    target = tmp_path_factory.mktemp("listed") / "listing.jsonl"
    order = target.with_name("order.json")
    order.write_text(json.dumps({LIST: {"folder": str(phantoms), "listing": str(target)}}))
    case_listing.main([LIST, "--settings", str(order)])
    return target


class ListedBefore:
    """Stands in for the process that reads a folder, with what it told the first time."""

    def __init__(self, folder: Path, listing: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        shutil.copyfile(listing, folder / listing.name)

    def is_running(self) -> bool:
        """It has told everything."""
        return False

    def tail(self) -> str:
        """It has nothing to complain of."""
        return ""


def _read_once(monkeypatch: pytest.MonkeyPatch, phantoms: Path, listed: Path) -> None:
    """A folder of phantoms that is as it was is not looked through by another process in each test."""
    real, files = process.start, _files_of(phantoms)

    def start(name: str, settings: Any, engine: Any, **places: Any) -> Any:
        if name == LIST and settings["folder"] == str(phantoms) and _files_of(phantoms) == files:
            return ListedBefore(places["folder"], listed)
        return real(name, settings, engine, **places)

    monkeypatch.setattr(process, "start", start)


def _files_of(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


class PanelInTest:
    """The panel, and what a user does with it."""

    def __init__(self, slicer_for_tests: Any, widget: Any) -> None:
        self.slicer, self.widget = slicer_for_tests, widget
        self.panel, self.ui, self.logic = widget.panel, widget.ui, widget.logic

    def choose(self, data: Path | str, run: Path | str) -> None:
        """Choose the two folders of step 1, and wait for the table."""
        self.choose_later(data, run)
        self.wait(lambda: not self.panel.data.reader.isReading, 120)

    def choose_later(self, data: Path | str, run: Path | str) -> None:
        """Choose the two folders of step 1, and wait for nothing."""
        self.ui.runFolder.currentPath = str(run)
        self.ui.dataFolder.currentPath = str(data)

    def job(self, name: str) -> Any:
        """Click a job's Start and wait for its end."""
        button = self.child(f"{name}Start")
        assert button.enabled, button.toolTip
        button.click()
        assert self.panel.monitor.isBusy, self.child(f"{name}Line").text
        self.wait(lambda: not self.panel.monitor.isBusy, 300)
        return button

    def double_click(self, table: Any, row: int) -> None:
        """Double click the first cell of a row with the mouse: Qt counts it where it saw the first click."""
        self._mouse(table, row, "mouseClick")
        self._mouse(table, row, "mouseDClick")

    def click(self, table: Any, row: int) -> None:
        """Click the first cell of a row with the mouse."""
        self._mouse(table, row, "mouseClick")

    def type(self, edit: Any, text: str) -> None:
        """Write into a line, and leave it with the Return key."""
        from PySide6.QtCore import Qt
        from PySide6.QtTest import QTest

        edit.text = text
        QTest.keyClick(edit, Qt.Key.Key_Return)

    def _mouse(self, table: Any, row: int, verb: str) -> None:
        from PySide6.QtCore import Qt
        from PySide6.QtTest import QTest

        for step in ("dataStep", "annotateStep", "predictStep"):
            getattr(self.ui, step).collapsed = False
        self.slicer.process_events()
        item = table.item(row, 0)
        table.scrollToItem(item)
        place = table.visualItemRect(item).center()
        getattr(QTest, verb)(
            table.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place
        )

    def child(self, name: str) -> Any:
        """A widget of the panel by its name."""
        import slicer

        return slicer.util.findChild(self.widget.uiWidget, name)

    def state(self, step: str) -> str:
        """The first word of a step's state: done, ready, working, missing, failed."""
        return str(self.child(f"{step}State").property("state"))

    def wait(self, condition: Callable[[], Any], seconds: float = 30) -> None:
        """Let Qt run until the condition holds."""
        self.slicer.wait_until(condition, PATIENCE * seconds)

    def restart(self) -> PanelInTest:
        """Close Slicer and open it again: a new scene and a new panel, the settings stay."""
        import slicer

        kept = {key: slicer.app.settings().value(key) for key in slicer.app.settings().allKeys()}
        self.slicer._host.reset()
        for key, value in kept.items():
            slicer.app.settings().setValue(key, value)
        return PanelInTest(self.slicer, self.slicer.open_panel(MODULE))


@pytest.fixture
def a_real_panel(a_slicer: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[PanelInTest]:
    """The panel whose jobs are computed by another Python that has torch."""
    if not ENGINE_PYTHON.is_file():
        pytest.skip(f"there is no Python with torch at {ENGINE_PYTHON}: `make install`")
    monkeypatch.setenv("CONTRASTIVESEG_ENGINE_PYTHON", str(ENGINE_PYTHON))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield from _opened(a_slicer)


@pytest.fixture
def a_quick_panel(
    a_slicer: Any, monkeypatch: pytest.MonkeyPatch, phantoms: Path, listed: Path | None
) -> Iterator[PanelInTest]:
    """The panel whose jobs are the self test's stand-in for the engine; phantoms are read in no time."""
    if listed is not None:
        _read_once(monkeypatch, phantoms, listed)
    monkeypatch.delenv("CONTRASTIVESEG_ENGINE_PYTHON", raising=False)
    _pretend_installed(a_slicer)
    for opened in _opened(a_slicer):
        _use_stand_in(monkeypatch)
        yield opened


def _pretend_installed(a_slicer: Any) -> None:
    """The stand-in needs no packages, but the panel starts no job before they are there."""
    lines = (MODULE.parent / "Resources" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    for line in (*lines, "torch>=2.6"):
        name, _, version = line.partition(">=")
        if version:
            a_slicer.installations.present[name] = version


def _use_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """For this panel and those that a restart makes."""
    monkeypatch.syspath_prepend(SELF_TEST)
    from ContrastiveSegSelfTest.story import standIn

    from ContrastiveSegLib.slicer_bridge.engine import Engine

    monkeypatch.setattr(Engine, "of", classmethod(lambda _cls, _python: standIn()))


def shown_texts(panel: PanelInTest) -> list[str]:
    """All that a user can read in the panel: labels, buttons, tooltips, logs, tables, menus."""
    from PySide6.QtWidgets import QComboBox, QPlainTextEdit, QTableWidget, QWidget

    found = []
    for widget in panel.widget.uiWidget.findChildren(QWidget):
        found += [widget.toolTip, str(getattr(widget, "text", "")), str(getattr(widget, "title", ""))]
        if isinstance(widget, QPlainTextEdit):
            found.append(widget.plainText)
        if isinstance(widget, QTableWidget):
            cells = [widget.item(row, n) for row in range(widget.rowCount) for n in range(widget.columnCount)]
            found += [text for cell in cells if cell is not None for text in (cell.text(), cell.toolTip())]
        if isinstance(widget, QComboBox):
            found += [widget.itemText(n) for n in range(widget.count)]
    return [text for text in found if text]


def _opened(a_slicer: Any) -> Iterator[PanelInTest]:
    opened = PanelInTest(a_slicer, a_slicer.open_panel(MODULE))
    for step in (opened.panel.pretrain, opened.panel.finetune):
        step.planner._timer.setInterval(10**8)  # a test that wants a plan says so
    for box in (opened.ui.propagateBox, opened.ui.refineBox):
        box.collapsed = False  # what is folded away is also switched off
    yield opened
    for text in shown_texts(opened) if opened.widget.panel is not None else ():
        assert not TERMINAL_WORDS.search(text), f"a user of the panel reads: {text}"
    job = opened.panel.monitor.job
    if job is not None:
        job.end()
        time.sleep(0.1)
    opened.panel.close()
