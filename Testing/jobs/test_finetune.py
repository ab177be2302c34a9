"""Fine-tuning from the command line on some slices, on scribbles, and on labels that count less."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.phantoms.phantom import PhantomCounts, write_phantom_folder
from ContrastiveSegLib.runs.events import read_new
from Testing.jobs.strokes import with_strokes

FAST = ["--from", "none", "--steps", "2", "--base-channels", "4", "--batch", "4", "--device", "cpu",
        "--precision", "float32", "--patch", "32", "32", "--spacing", "6"]  # fmt: skip


@pytest.fixture(scope="module")
def a_labeled_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms")
    write_phantom_folder(folder, PhantomCounts(unlabeled=1, labeled=2, test=1), seed=0)
    return folder / "labeled"


def finetune(run: Path, labeled: Path, *words: str) -> int:
    return main(["finetune", str(run), "--labeled", str(labeled), *FAST, *words])


def told(run: Path) -> str:
    events, _ = read_new(run / "events.jsonl")
    return "\n".join(str(event.get("text", "")) for event in events)


def rows(run: Path) -> list[dict[str, str]]:
    """Of the last round."""
    with max(run.glob("finetune/*/cases.csv")).open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_only_listed_slices_are_learned_from(a_labeled_folder, tmp_path):
    name = find_cases(a_labeled_folder).cases[0].name
    table = tmp_path / "slices.csv"
    table.write_text(f"case,slice\n{name},4\n{name},7\n")

    assert finetune(tmp_path / "run", a_labeled_folder, "--annotated-slices", str(table)) == 0

    first, second = rows(tmp_path / "run")
    assert first["annotation"].startswith("2 of ")
    assert second["role"] == "left out"
    assert "is listed as annotated" in second["reason"]
    assert "Annotated: 1 cases with annotated slices; 2 slices in all." in told(tmp_path / "run")


def test_a_table_of_other_cases_is_refused(a_labeled_folder, tmp_path, capsys):
    (tmp_path / "slices.csv").write_text("case,slice\nsomebody,4\n")

    words = ["--annotated-slices", str(tmp_path / "slices.csv")]
    assert finetune(tmp_path / "run", a_labeled_folder, *words) == 1

    assert "names the case somebody, which is not in" in capsys.readouterr().err


def test_scribbles_of_segments_teach_every_strategy_made_for_them(a_labeled_folder, tmp_path):
    scribbles = with_strokes(a_labeled_folder, tmp_path / "scribbled")

    for strategy in ("partial_ce", "pclmix"):
        assert finetune(tmp_path / strategy, scribbles, "--strategy", strategy) == 0
        assert all(row["annotation"].startswith("scribbles in") for row in rows(tmp_path / strategy))
        assert "Scribbles were found, but" not in told(tmp_path / strategy)

    assert finetune(tmp_path / "supervised", scribbles, "--strategy", "supervised") == 0
    assert "Scribbles were found, but this strategy needs whole slices." in told(tmp_path / "supervised")


def test_outside_of_the_line_around_all_structures_is_learned_as_background(a_labeled_folder, tmp_path):
    scribbles = with_strokes(a_labeled_folder, tmp_path / "scribbled", framed=True)
    shares = []
    for flag in ((), ("--outside-is-background",)):
        assert finetune(tmp_path / "run", scribbles, "--strategy", "partial_ce", *flag) == 0
        shares.append({share_of(row["annotation"]) for row in rows(tmp_path / "run")})

    assert max(shares[0]) < min(shares[1])
    assert (tmp_path / "run" / "finetune" / "02").is_dir()


def share_of(annotation: str) -> float:
    """Of the voxels that are known, in %, as the table of cases says it."""
    return float(re.search(r"\((.*)% of the voxels", annotation)[1])


def test_labels_that_count_less_are_learned_too(a_labeled_folder, tmp_path):
    name = find_cases(a_labeled_folder).cases[0].name
    words = ["--only", name, "--extra-labeled", str(a_labeled_folder), "--labeled-weight", "3"]

    assert finetune(tmp_path / "run", a_labeled_folder, *words) == 0

    used = [row["case"] for row in rows(tmp_path / "run") if row["role"] == "train"]
    assert used == [name, name]
    assert "on 2 cases (0 for validation)" in told(tmp_path / "run")
