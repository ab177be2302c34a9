"""Run in a real Slicer: plays a session of the scenario, writes a report and pictures, and ends Slicer.

`make test-slicer-app SLICER=/path/to/Slicer` starts it for both sessions; the environment variables
SCENARIO_FOLDER and SCENARIO_SESSION say where and which, because Slicer takes options for its own.
"""

import json
import os
import sys
import traceback
from pathlib import Path

import qt
import slicer

HERE = Path(__file__).resolve().parent
SIZE = (1280, 900)


def photograph(path: Path) -> None:
    """The whole window with slice, 3D and plot views."""
    slicer.util.mainWindow().grab().save(str(path))


def main(folder: Path, session: str) -> int:
    """Play one session; 0 when every step found what a user would look for."""
    sys.path.insert(0, str(HERE))
    import scenario
    from user import User

    folder.mkdir(parents=True, exist_ok=True)
    slicer.util.mainWindow().resize(*SIZE)
    user = User(folder, photograph, session)
    report = {"version": slicer.app.applicationVersion, "error": ""}
    try:
        scenario.play(user, getattr(scenario, f"{session}_session")())
        scenario.compare(user.facts, HERE / "expected.json")
    except Exception:
        report["error"] = traceback.format_exc()
        photograph(folder / f"{session}_failed.png")
    (folder / f"{session}.json").write_text(json.dumps({**report, **user.facts}, indent=1), encoding="utf-8")
    print(report["error"] or f"{session} session: all steps passed", flush=True)
    return 1 if report["error"] else 0


def begin() -> None:
    """Only once Slicer runs: jobs are followed by timers, which need its event loop."""
    slicer.util.exit(main(Path(os.environ["SCENARIO_FOLDER"]), os.environ["SCENARIO_SESSION"]))


qt.QTimer.singleShot(0, begin)
