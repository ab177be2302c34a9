"""The job, end to end, as a user types it, and what can go wrong in it."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.dataset.slice_table import read_annotated_slices
from ContrastiveSegLib.file_io.files import read_geometry
from ContrastiveSegLib.phantoms.phantom import PhantomCounts, write_phantom_folder
from ContrastiveSegLib.runs.events import read_new

SMALL = ["--base-channels", "4", "--batch", "4", "--device", "cpu", "--precision", "float32"]
GRID = ["--patch", "32", "32", "--spacing", "8"]


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms") / "mit Umlaut ä und Leerzeichen"
    write_phantom_folder(folder, PhantomCounts(unlabeled=3, labeled=2, test=0), seed=0, shape=(6, 32, 32))
    return folder


@pytest.fixture(scope="module")
def a_pretrained_run(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "run"
    assert main(["pretrain", str(run), "--images", str(phantoms), "--steps", "2", *SMALL, *GRID]) == 0
    return run


@pytest.fixture
def a_run(a_pretrained_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(a_pretrained_run, tmp_path / "run"))


def suggest(run: Path, images: Path, *words: str) -> int:
    return main(["suggest", str(run), "--images", str(images), "--device", "cpu", *words])


def rows_of(run: Path) -> list[dict[str, str]]:
    with (run / "suggestions.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def sentences(run: Path) -> str:
    events, _ = read_new(run / "events.jsonl")
    return "\n".join(str(event.get("text", "")) for event in events)


def finetune(run: Path, phantoms: Path, *words: str) -> int:
    labeled = ["--labeled", str(phantoms / "labeled")]
    return main(["finetune", str(run), *labeled, "--unlabeled", "none", "--steps", "2", *SMALL[2:], *words])


def test_before_any_annotation_cases_and_slices_are_ranked(
    a_run: Path, phantoms: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert suggest(a_run, phantoms, "--count", "3") == 0

    rows = rows_of(a_run)
    assert [(row["kind"], row["rank"]) for row in rows] == [
        (kind, str(rank)) for kind in ("case", "slice") for rank in (1, 2, 3)
    ]
    assert all(0 <= float(row["score"]) <= 1 and row["reason"].startswith("typical of ") for row in rows)
    assert not any(row["novelty"] or row["uncertainty"] for row in rows)
    assert len({row["patient"] for row in rows[:3]}) == len({row["patient"] for row in rows[3:]}) == 3
    for row in rows[3:]:
        image = next(phantoms.rglob(f"{row['case']}.nii.gz"))
        assert 0 <= int(row["slice"]) < read_geometry([image]).size["ijk".index(row["axis"])]
        assert row["toward"] in "LPS"
    page = json.loads((a_run / "suggestions.json").read_text(encoding="utf-8"))
    assert (page["format"], page["cases"], page["annotated"]) == (1, 5, [])
    assert [one["reason"] for one in page["suggestions"]] == [row["reason"] for row in rows]
    picture = sitk.GetArrayFromImage(sitk.ReadImage(a_run / "suggestions.png"))
    assert picture.shape[0] > 300
    assert picture.std() > 5
    assert rows[0]["reason"] in capsys.readouterr().out


def test_the_same_seed_gives_the_same_table(a_run: Path, phantoms: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        assert suggest(a_run, phantoms, "--seed", "3", "--output", str(tmp_path / name)) == 0

    first, second = ((tmp_path / name / "suggestions.csv").read_bytes() for name in ("first", "second"))
    assert first == second
    assert not (a_run / "suggestions.csv").exists()


def test_what_is_annotated_is_covered_and_not_suggested(a_run: Path, phantoms: Path) -> None:
    assert suggest(a_run, phantoms, "--labeled", str(phantoms / "labeled")) == 0

    rows = rows_of(a_run)
    labeled = {path.name.partition(".")[0] for path in (phantoms / "labeled" / "images").iterdir()}
    assert len([row for row in rows if row["kind"] == "case"]) == 3
    assert not labeled & {row["case"] for row in rows}
    assert all(row["novelty"] for row in rows)
    assert any("like" in row["reason"] for row in rows)
    assert "2 annotated cases are covered" in sentences(a_run)


def test_annotated_cases_from_another_folder_count_too(a_run: Path, phantoms: Path) -> None:
    images = phantoms / "unlabeled"

    assert suggest(a_run, images, "--labeled", str(phantoms / "labeled"), "--count", "3") == 0

    assert {row["case"] for row in rows_of(a_run) if row["kind"] == "case"} == {
        path.name.partition(".")[0] for path in (images / "images").iterdir()
    }
    assert all(row["novelty"] for row in rows_of(a_run))


def test_after_a_round_the_doubt_of_the_model_counts(a_run: Path, phantoms: Path) -> None:
    assert finetune(a_run, phantoms) == 0

    assert suggest(a_run, phantoms) == 0

    rows = rows_of(a_run)
    assert len(rows) == 3 + 5
    assert all("the model is" in row["reason"] and 0 < float(row["uncertainty"]) <= 1 for row in rows)
    page = json.loads((a_run / "suggestions.json").read_text(encoding="utf-8"))
    assert page["with_uncertainty"]
    assert len(page["annotated"]) == 2


def test_slices_beside_annotated_ones_can_still_be_suggested(
    a_run: Path, phantoms: Path, tmp_path: Path
) -> None:
    names = sorted(path.name.partition(".")[0] for path in (phantoms / "labeled" / "images").iterdir())
    table = tmp_path / "slices.csv"
    table.write_text("case,slice\n" + "".join(f"{name},2\n" for name in names), encoding="utf-8")
    assert finetune(a_run, phantoms, "--annotated-slices", str(table)) == 0

    assert suggest(a_run, phantoms / "labeled", "--kind", "slices", "--count", "8") == 0

    rows = rows_of(a_run)
    assert {row["kind"] for row in rows} == {"slice"}
    assert {row["case"] for row in rows} == set(names)
    assert "2" not in {row["slice"] for row in rows}
    assert sum(map(len, read_annotated_slices(a_run / "suggestions.csv").values())) == 8


def test_both_strategies_and_blocks_work(phantoms: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    grid = ["--spatial-dims", "3", "--patch", "4", "32", "32", "--spacing", "8"]
    method = ["--method", "simclr"]
    assert (
        main(["pretrain", str(run), "--images", str(phantoms), "--steps", "1", *method, *SMALL, *grid]) == 0
    )

    assert suggest(run, phantoms, "--strategy", "k_center", "--count", "4") == 0

    assert len(rows_of(run)) == 8
    assert all("resemble it most" in row["reason"] for row in rows_of(run))


def test_a_run_from_scratch_suggests_with_its_own_encoder(phantoms: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert finetune(run, phantoms, "--from", "none", "--base-channels", "4", *GRID) == 0

    assert suggest(run, phantoms) == 0

    assert all(row["uncertainty"] for row in rows_of(run))


def test_a_labeled_folder_that_is_gone_is_said_and_nothing_stops(
    a_run: Path, phantoms: Path, tmp_path: Path
) -> None:
    moved = Path(shutil.copytree(phantoms, tmp_path / "copy"))
    assert finetune(a_run, moved) == 0
    shutil.rmtree(moved)

    assert suggest(a_run, phantoms) == 0

    assert "does not count as annotated" in sentences(a_run)
    assert len([row for row in rows_of(a_run) if row["kind"] == "case"]) == 5


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--count", "6"], "6 cases are asked for, but only 5 of the 5 usable cases"),
        (["--count", "900", "--kind", "slices"], "900 slices are asked for, but only "),
        (["--labeled", "{unlabeled}"], "None of the 3 cases in {unlabeled} has labels."),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    a_run: Path, phantoms: Path, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    unlabeled = str(phantoms / "unlabeled")

    assert suggest(a_run, phantoms, *(word.format(unlabeled=unlabeled) for word in words)) == 1

    assert sentence.format(unlabeled=unlabeled) in capsys.readouterr().err
    assert not (a_run / "suggestions.csv").exists()


def test_all_annotated_is_said(a_run: Path, phantoms: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labeled = phantoms / "labeled"

    assert suggest(a_run, labeled, "--labeled", str(labeled)) == 1

    assert "All 2 usable cases" in capsys.readouterr().err


def test_without_a_model_nothing_is_created(
    phantoms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert suggest(tmp_path / "nothing", phantoms) == 1

    assert "There is no finished pre-training and no finished fine-tuning in" in capsys.readouterr().err
    assert not (tmp_path / "nothing").exists()


def test_a_folder_without_usable_cases_names_the_reason(
    a_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    sitk.WriteImage(sitk.Image([8, 8], sitk.sitkUInt8), tmp_path / "data" / "flat.nrrd")

    assert suggest(a_run, tmp_path / "data") == 1

    assert "2D image" in capsys.readouterr().err


def test_another_number_of_channels_is_refused(
    a_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random, data = np.random.default_rng(0), tmp_path / "imagesTr"
    data.mkdir()
    for channel in range(2):
        image = sitk.GetImageFromArray(random.random((4, 32, 32), np.float32))
        sitk.WriteImage(image, data / f"case1_000{channel}.nii.gz")

    assert suggest(a_run, data) == 1

    assert "has 2 channels, the network was trained with 1" in capsys.readouterr().err
