"""What a user types becomes settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ContrastiveSegLib.command_line import parse_command
from ContrastiveSegLib.errors import BadFile, BadSetting
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.settings.job_settings import (
    JOBS,
    CaseSelection,
    Compute,
    GridSettings,
    PretrainSettings,
)
from ContrastiveSegLib.settings.method_catalog import ENGINE

POSITION = '''
"""Position: slices at the same height attract each other."""
class Settings:
    threshold: Annotated[float, Range(0, 1)] = 0.35
    """How near two slice positions must be."""
    width: Literal[1, 2] = 1
    """A name that the job has, too."""
'''
LATTICE = '''
"""Lattice: another method."""
class Settings:
    knots: int = 4
    """Knots."""
'''
SUPERVISED = '''
"""Supervised: learn from labels."""
class Settings:
    dropout: float = 0.1
    """Share of features left out."""
'''


@pytest.fixture
def a_catalog_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "engine"
    methods = {
        "pretraining/supercl.py": POSITION,
        "pretraining/lattice.py": LATTICE,
        "finetuning/self_training.py": SUPERVISED,
    }
    for name, text in methods.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def typed(line: str, folder: Path) -> Any:
    return parse_command(line.split(), folder=folder).settings


def test_every_flag_reaches_its_setting(a_catalog_folder: Path) -> None:
    line = (
        "pretrain my_run --images my_images --method supercl --epochs 3 --spacing 1.5 --window -100 400 "
        "--patch 64 96 --only patient0* b --leave-out c --device cpu --threads 2 --threshold 0.1 -v"
    )

    assert typed(line, a_catalog_folder) == PretrainSettings(
        run=Path("my_run"),
        images=Path("my_images"),
        epochs=3,
        grid=GridSettings(spacing=1.5, window=(-100.0, 400.0), patch=(64, 96)),
        cases=CaseSelection(only=("patient0*", "b"), leave_out=("c",)),
        compute=Compute(device="cpu", threads=2),
        options={"threshold": 0.1, "width": 1},
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("check", {}),
        ("scan F --only a", {"folder": Path("F"), "cases": CaseSelection(only=("a",))}),
        ("methods", {}),
        ("finetune R --labeled F", {"start": "", "strategy": "self_training", "options": {"dropout": 0.1}}),
        ("finetune R --labeled F --from none --dropout 0", {"start": "none", "options": {"dropout": 0.0}}),
        ("finetune R --labeled F --from ../other", {"start": "../other"}),
        ("predict R --images F", {"run": Path("R"), "output": None, "uncertainty": True}),
        (
            "predict R --images F --output D --mirror yes --no-uncertainty",
            {"mirror": "yes", "uncertainty": False},
        ),
        ("evaluate --predictions P --labels L --output r.csv", {"output": Path("r.csv")}),
        ("demo", {"data": None, "dataset": "", "folder": Path("demo")}),
        ("demo --data F", {"data": Path("F")}),
    ],
)
def test_the_commands_of_the_manual_are_understood(
    a_catalog_folder: Path, line: str, expected: dict[str, Any]
) -> None:
    settings = typed(line, a_catalog_folder)

    assert type(settings) is JOBS[line.split()[0]]
    assert {name: getattr(settings, name) for name in expected} == expected


def test_blanks_and_umlauts_in_paths_survive(a_catalog_folder: Path) -> None:
    order = parse_command(["scan", "/data/Bänder und Müll"], folder=a_catalog_folder)

    assert order.settings.folder == Path("/data/Bänder und Müll")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["predict", "", "--images", "x"], "run"),
        (["predict", "r", "--images", "", "--only", "a"], "images"),
        (["predict", "r", "--images", "x", "--output="], "output"),
        (["pretrain", "r", "--images", "x", "--prepared", ""], "prepared"),
        (["scan", ""], "folder"),
    ],
)
def test_an_empty_path_is_not_the_current_folder(words: list[str], name: str) -> None:
    with pytest.raises(BadSetting, match=f"The path of '{name}' is empty"):
        parse_command(words)


def test_an_empty_text_and_the_current_folder_may_be_given() -> None:
    typed = parse_command(["finetune", ".", "--labeled", ".", "--unlabeled", "", "--from", ""])

    assert (typed.settings.run, typed.settings.unlabeled) == (Path(), "")


def test_the_method_decides_which_flags_there_are(a_catalog_folder: Path) -> None:
    settings = typed("pretrain R --images F --method=lattice --knots 7", a_catalog_folder)

    assert (settings.method, settings.options) == ("lattice", {"knots": 7})


def test_a_flag_of_another_method_is_a_usage_error(
    a_catalog_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        typed("pretrain R --images F --method lattice --threshold 0.1", a_catalog_folder)

    assert caught.value.code == 2
    assert "--threshold" in capsys.readouterr().err


def test_a_methods_setting_whose_name_is_taken_carries_the_methods_name(a_catalog_folder: Path) -> None:
    settings = typed("pretrain R --images F --width 8 --supercl-width 2", a_catalog_folder)

    assert (settings.base_channels, settings.options["width"]) == (8, 2)


def test_help_of_a_method_shows_its_settings_with_range_and_default(
    a_catalog_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        typed("pretrain --help --method supercl", a_catalog_folder)

    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert caught.value.code == 0
    assert (
        "--threshold NUMBER How near two slice positions must be. [supercl] (from 0 to 1) (default: 0.35)"
        in shown
    )
    assert "--method {supercl; to compare: lattice}" in shown
    assert "In-plane spacing in mm; empty: the median of the data." in shown


def test_an_unknown_method_is_named_with_the_closest(a_catalog_folder: Path) -> None:
    with pytest.raises(BadSetting, match=r"no pretraining method 'latice'\. Did you mean 'lattice'"):
        typed("pretrain R --images F --method latice", a_catalog_folder)


def test_a_value_out_of_range_is_named_with_the_range(a_catalog_folder: Path) -> None:
    with pytest.raises(BadSetting, match="'epochs' is 0; allowed is a whole number from 1 to 100000"):
        typed("pretrain R --images F --epochs 0", a_catalog_folder)


def test_flags_are_stronger_than_the_file_and_the_file_than_the_defaults(
    a_catalog_folder: Path, tmp_path: Path
) -> None:
    pretrain = {
        "images": "/from/file",
        "epochs": 7,
        "seed": 5,
        "grid": {"spacing": 2.0, "modality": "ct"},
        "options": {"threshold": 0.2},
    }
    (tmp_path / "s.json").write_text(json.dumps({"pretrain": pretrain, "finetune": {}}))

    settings = typed(f"pretrain R --settings {tmp_path}/s.json --seed 1 --spacing 1", a_catalog_folder)

    assert settings == PretrainSettings(
        run=Path("R"),
        images=Path("/from/file"),
        epochs=7,
        seed=1,
        grid=GridSettings(spacing=1.0, modality="ct"),
        options={"threshold": 0.2, "width": 1},
    )


def test_what_a_run_wrote_down_starts_it_again(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.create()
    first = typed(f"pretrain {run.path} --images F --threshold 0.1 --only a* b", ENGINE)
    run.begin("pretrain", first)

    again = typed(f"pretrain {run.path} --settings {run.settings}", ENGINE)

    assert run.begin("pretrain", again)


def test_options_of_a_file_for_another_method_are_not_taken_over(
    a_catalog_folder: Path, tmp_path: Path
) -> None:
    content = {"pretrain": {"method": "supercl", "options": {"threshold": 0.2}}}
    (tmp_path / "s.json").write_text(json.dumps(content))

    line = f"pretrain R --images F --settings {tmp_path}/s.json"

    assert typed(line, a_catalog_folder).options == {"threshold": 0.2, "width": 1}
    assert typed(f"{line} --method lattice", a_catalog_folder).options == {"knots": 4}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"pretrain": {"epoch": 3}}', r"no setting 'epoch' in .*s\.json. Did you mean 'epochs'"),
        ('{"pretrain": {"epochs": 0}}', r"'epochs' in .*s\.json is 0; allowed is a whole number from 1"),
        (
            '{"pretrain": {"options": {"threshold": 7}}}',
            r"'threshold' in .*s\.json is 7.0; allowed is a number",
        ),
        ('{"finetune": {}}', r"s\.json hold finetune, but nothing for pretrain"),
    ],
)
def test_a_bad_settings_file_is_named(
    a_catalog_folder: Path, tmp_path: Path, content: str, expected: str
) -> None:
    (tmp_path / "s.json").write_text(content)

    with pytest.raises(BadSetting, match=expected):
        typed(f"pretrain R --images F --settings {tmp_path}/s.json", a_catalog_folder)


def test_a_settings_file_that_is_not_there_is_named(a_catalog_folder: Path) -> None:
    with pytest.raises(BadFile, match=r"nowhere\.json cannot be read"):
        typed("pretrain R --images F --settings nowhere.json", a_catalog_folder)


def test_flags_of_version_0_1_still_work() -> None:
    words = ["predict", "run", "--images", "i", "--no-gray-correction", "--pieces=each"]

    settings = parse_command(words).settings

    assert (settings.intensity_refinement, settings.components) == (False, "each")


def test_base_channels_and_the_weight_of_own_annotations_have_their_flags_of_then_too() -> None:
    job = ["finetune", "run", "--labeled", "l"]

    found = [parse_command([*job, *words]).settings for words in (
        ["--width", "8", "--favored=3"], ["--base-channels", "8", "--labeled-weight=3"],
    )]  # fmt: skip

    assert found[0] == found[1]
    assert (found[0].base_channels, found[0].labeled_weight) == (8, 3)


@pytest.mark.parametrize(
    ("method", "words", "options"),
    [
        ("swav", ["--sharpness", "0.1"], {"epsilon": 0.1}),
        ("mae", ["--hidden=0.5"], {"mask_ratio": 0.5}),
        ("byol", ["--hidden", "64"], {"hidden": 64}),  # of another method, and its name of today
    ],
)
def test_settings_of_methods_have_their_flags_of_then_too(
    method: str, words: list[str], options: dict[str, float], tmp_path: Path
) -> None:
    job = ["pretrain", "run", "--images", "i", "--method", method]
    written = {
        key.lstrip("-"): json.loads(value) for key, value in [" ".join(words).replace("=", " ").split()]
    }
    path = tmp_path / "settings.json"
    path.write_text(
        json.dumps({"pretrain": {"run": "run", "images": "i", "method": method, "options": written}})
    )

    typed = parse_command([*job, *words]).settings.options
    read = parse_command(["pretrain", "--settings", str(path)]).settings.options

    assert typed == read
    assert {key: typed[key] for key in options} == options
