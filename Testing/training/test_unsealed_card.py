"""A card of version 0.1, which has no checksum, must agree with what else its run says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ContrastiveSegLib.errors import BadCheckpoint
from ContrastiveSegLib.runs.run_folder import ModelFolder
from ContrastiveSegLib.training.unsealed_card import check_unsealed


def table(*names: str) -> dict[str, Any]:
    return {"structures": [{"value": n, "name": name} for n, name in enumerate(names, start=1)]}


@pytest.fixture
def a_round(tmp_path: Path) -> ModelFolder:
    """Round 1 of a run of version 0.1."""
    source = ModelFolder(tmp_path / "run" / "finetune" / "01")
    source.path.mkdir(parents=True)
    source.model.write_text("{}")
    source.settings.write_text(
        json.dumps({"decided": {"finetune": {"grid": {"spacing": 1.5, "patch": [8, 8]}}}})
    )
    (tmp_path / "run" / "labels.json").write_text(json.dumps(table("kidney", "tumor")))
    return source


def card(spacing: float = 1.5, labels: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "grid": {"spacing": spacing, "patch": [8, 8], "plane": "axial"},
        "labels": labels or table("kidney", "tumor"),
        **more,
    }


def test_a_card_that_agrees_is_taken(a_round: ModelFolder) -> None:
    check_unsealed(a_round, card())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (card(spacing=3.0), r"about the grid's spacing: 3\.0 and 1\.5"),
        (
            card(labels=table("tumor", "kidney")),
            "about the structures: 1 tumor, 2 kidney and 1 kidney, 2 tumor",
        ),
    ],
)
def test_a_card_that_was_changed_is_refused(
    a_round: ModelFolder, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadCheckpoint, match=message):
        check_unsealed(a_round, changed)
    check_unsealed(a_round, changed | {"seal": "checked elsewhere"})


def test_the_table_at_the_top_belongs_to_the_last_round(a_round: ModelFolder) -> None:
    later = ModelFolder(a_round.path.with_name("02"))
    later.path.mkdir()
    later.model.write_text("{}")

    check_unsealed(a_round, card(labels=table("liver")))
    with pytest.raises(BadCheckpoint, match="1 liver and 1 kidney, 2 tumor"):
        check_unsealed(later, card(labels=table("liver")))


def test_a_round_that_was_interrupted_wrote_the_table_at_the_top(a_round: ModelFolder) -> None:
    later = ModelFolder(a_round.path.with_name("02"))
    later.path.mkdir()
    later.settings.write_text("{}")
    (a_round.path.parent.parent / "labels.json").write_text(json.dumps(table("kidney", "tumor", "cyst")))

    check_unsealed(a_round, card())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"structures": [3]}', '{"decided": 3}', "[" * 9999])
def test_files_that_say_nothing_are_no_contradiction(a_round: ModelFolder, text: str) -> None:
    a_round.settings.write_text(text)
    (a_round.path.parent.parent / "labels.json").write_text(text)

    check_unsealed(a_round, card(spacing=3.0, labels=table("tumor")))
