"""The scenario of Testing/slicer_app, played in the Slicer for tests; in Slicer: make test-slicer-app."""

from __future__ import annotations

import json
from pathlib import Path

from Testing.slicer.panel_fixtures import MODULE
from Testing.slicer_app import scenario
from Testing.slicer_app.user import User

EXPECTED = Path(scenario.__file__).with_name("expected.json")


def _start(a_slicer, folder, session):
    """Slicer with the module, and a user in front of it."""
    a_slicer.load_module(MODULE)
    a_slicer.main_window.show()
    a_slicer.finish_startup()
    return User(folder, lambda path: a_slicer.photograph(a_slicer.main_window, path), session)


def test_a_new_user_finds_the_way_through_two_sessions(a_slicer, tmp_path, monkeypatch):
    monkeypatch.delenv("CONTRASTIVESEG_ENGINE_PYTHON", raising=False)

    user = _start(a_slicer, tmp_path, "first")
    scenario.play(user, scenario.first_session())
    a_slicer.restart()
    scenario.play(_start(a_slicer, tmp_path, "second"), scenario.second_session())

    (tmp_path / "facts.json").write_text(
        json.dumps(user.facts, indent=1), encoding="utf-8"
    )  # for expected.json
    scenario.compare(user.facts, EXPECTED)
    assert len(list((tmp_path / "pictures").iterdir())) >= 14
