"""Settings are checked strictly, and survive the way through JSON unchanged."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ContrastiveSegLib.errors import BadFile, BadSetting
from ContrastiveSegLib.settings.job_settings import (
    FinetuneSettings,
    PredictSettings,
    PretrainSettings,
    RefineSettings,
)
from ContrastiveSegLib.settings.rules import MayChange, Pattern, rule_of
from ContrastiveSegLib.settings.schema import Range, differences, from_dict, read_settings, to_dict, validate


@dataclass(frozen=True)
class Inner:
    """A group."""

    spacing: Annotated[float, Range(0.1, 20)] | None = None
    window: tuple[float, float] | None = None
    only: tuple[str, ...] = ()


@dataclass(frozen=True)
class Example:
    """One setting of each kind."""

    images: Path
    epochs: Annotated[int, Range(1, 1000)] = 100
    rate: Annotated[float, Range(0, 1)] = 0.5
    mirror: bool = False
    modality: Literal["auto", "ct", "other"] = "auto"
    device: Annotated[str, Pattern(r"cpu|cuda(:\d+)?", "'cpu', 'cuda' or 'cuda:0'"), MayChange()] = "cpu"
    grid: Inner = field(default_factory=Inner)
    options: dict[str, Any] = field(default_factory=dict)


def refusal(**changes: Any) -> str:
    """The text of the error for these values."""
    with pytest.raises(BadSetting) as caught:
        from_dict(Example, {"images": "/data", **changes})
    return str(caught.value)


def test_a_full_set_of_settings_survives_json() -> None:
    settings = Example(
        images=Path("/data/images with blank ä"),
        epochs=3,
        rate=0.25,
        mirror=True,
        modality="ct",
        device="cuda:1",
        grid=Inner(spacing=1.5, window=(-100.0, 400.0), only=("patient0*", "b")),
        options={"threshold": 0.35},
    )

    back = from_dict(Example, json.loads(json.dumps(to_dict(settings))))

    assert back == settings


@given(
    st.builds(
        Example,
        images=st.text("abc ä/.", min_size=1).map(lambda text: Path("/data") / text),
        epochs=st.integers(1, 1000),
        rate=st.floats(0, 1),
        grid=st.builds(
            Inner,
            spacing=st.none() | st.floats(0.1, 20),
            window=st.none() | st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)),
            only=st.lists(st.text()).map(tuple),
        ),
    )
)
def test_any_allowed_settings_survive_json(settings: Example) -> None:
    assert from_dict(Example, json.loads(json.dumps(to_dict(settings)))) == settings


def test_what_is_not_named_keeps_its_default() -> None:
    assert from_dict(Example, {"images": "/data", "grid": {"spacing": 2}}) == Example(
        images=Path("/data"), grid=Inner(spacing=2.0)
    )


def test_paths_become_absolute_so_that_a_file_means_the_same_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert to_dict(Example(images=Path("images")))["images"] == str(tmp_path / "images")


def test_an_unknown_key_is_named_with_its_closest_match() -> None:
    text = refusal(epoch=3)

    assert "There is no setting 'epoch'. Did you mean 'epochs'?" in text
    assert "Choose from: images, epochs, rate, mirror" in text


def test_an_unknown_key_in_a_group_is_named_with_the_group() -> None:
    assert "There is no setting 'grid.spacng'. Did you mean 'grid.spacing'?" in refusal(grid={"spacng": 1})


def test_a_number_out_of_range_is_named_with_the_range() -> None:
    text = refusal(epochs=0)

    assert text == (
        "The setting 'epochs' is 0; allowed is a whole number from 1 to 1000. Change it, and start again."
    )


def test_the_ends_of_a_range_are_allowed() -> None:
    low, high = (from_dict(Example, {"images": "/data", "epochs": n}).epochs for n in (1, 1000))

    assert (low, high) == (1, 1000)


def test_an_optional_number_out_of_range_says_that_it_may_be_empty() -> None:
    text = refusal(grid={"spacing": 0})

    assert "'grid.spacing' is 0.0; allowed is a number from 0.1 to 20, or empty." in text


def test_a_choice_that_does_not_exist_is_named_with_the_choices() -> None:
    text = refusal(modality="atuo")

    assert "'modality' is 'atuo'; allowed is one of 'auto', 'ct', 'other'. Did you mean 'auto'?" in text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"epochs": "ten"}, "'epochs' is 'ten'; allowed is a whole number from 1 to 1000."),
        ({"epochs": 2.5}, "'epochs' is 2.5; allowed is a whole number"),
        ({"epochs": True}, "'epochs' is True; allowed is a whole number"),
        ({"epochs": None}, "'epochs' is empty; allowed is a whole number"),
        ({"rate": "0.1"}, "'rate' is '0.1'; allowed is a number from 0 to 1."),
        ({"rate": float("nan")}, "'rate' is nan; allowed is a number from 0 to 1."),
        ({"rate": 10**400}, "allowed is a number from 0 to 1."),
        ({"mirror": 1}, "'mirror' is 1; allowed is true or false."),
        ({"mirror": "yes"}, "'mirror' is 'yes'; allowed is true or false."),
        ({"images": 3}, "'images' is 3; allowed is a path."),
        ({"images": ""}, "'images' is ''; allowed is a path."),
        ({"device": "gpu"}, "'device' is 'gpu'; allowed is 'cpu', 'cuda' or 'cuda:0'."),
        ({"grid": 3}, "'grid' is 3; allowed is a group of settings."),
        ({"grid": {"only": "abc"}}, "'grid.only' is 'abc'; allowed is a list of a text."),
        ({"grid": {"only": [1]}}, "'grid.only' is 1; allowed is a text."),
        ({"grid": {"window": [1]}}, "'grid.window' is [1]; allowed is a list of 2, each a number, or empty."),
        ({"options": []}, "'options' is []; allowed is a group of settings."),
    ],
)
def test_a_wrong_type_is_named_with_the_type_that_is_allowed(changes: dict[str, Any], expected: str) -> None:
    assert expected in refusal(**changes)


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(BadSetting, match=r"The setting 'images' is missing in my\.json"):
        from_dict(Example, {}, source="my.json")


def test_settings_built_in_python_are_checked_as_strictly() -> None:
    with pytest.raises(BadSetting, match=r"'grid\.spacing' is -1\.0; allowed is a number from 0.1 to 20"):
        validate(Example(images=Path("/data"), grid=Inner(spacing=-1)))


def test_valid_settings_built_in_python_come_back_equal() -> None:
    settings = Example(images=Path("data"), grid=Inner(spacing=1))

    assert validate(settings) == settings


def test_differences_are_named_with_both_values() -> None:
    before = Example(images=Path("/a"), grid=Inner(spacing=1.0), options={"k": 1, "same": (1, 2)})
    now = Example(images=Path("/b"), grid=Inner(spacing=2.0), options={"new": 3, "same": [1, 2]})

    assert differences(before, now) == {
        "images": ("/a", "/b"),
        "grid.spacing": (1.0, 2.0),
        "options.k": (1, None),
        "options.new": (None, 3),
    }


def test_two_ways_to_write_one_path_are_not_a_difference(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    settings = PretrainSettings(run=tmp_path, images=tmp_path / "images")

    for same in (tmp_path / "runs" / ".." / "images", tmp_path / "link" / "images"):
        assert not differences(settings, dataclasses.replace(settings, images=same))
    assert differences(settings, dataclasses.replace(settings, images=tmp_path / "runs"))


def test_a_device_is_not_a_difference() -> None:
    assert differences(Example(images=Path("/a")), Example(images=Path("/a"), device="cuda")) == {}


def test_a_hint_that_settings_cannot_have_is_the_authors_mistake() -> None:
    with pytest.raises(TypeError, match="cannot be the type of a setting"):
        rule_of(int | str)


def test_the_settings_of_one_job_are_read_from_the_file_of_all(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"pretrain": {"images": "/data", "epochs": 7}, "finetune": {"what": "ever"}}')

    assert read_settings(path, "pretrain", Example) == Example(images=Path("/data"), epochs=7)


@pytest.mark.parametrize(
    ("content", "error", "expected"),
    [
        ("{", BadFile, "are not readable as JSON"),
        ("[1]", BadSetting, "do not hold one object per job"),
        ('{"images": "/data"}', BadSetting, "do not hold one object per job"),
        ('{"finetune": {}}', BadSetting, "There is no job 'pretrain' in .*settings.json.* finetune"),
        ('{"pretrain": {"images": 3}}', BadSetting, "'images' in .*settings.json is 3; allowed is a path"),
    ],
)
def test_a_bad_settings_file_is_named(
    tmp_path: Path, content: str, error: type[Exception], expected: str
) -> None:
    path = tmp_path / "settings.json"
    path.write_text(content)

    with pytest.raises(error, match=expected):
        read_settings(path, "pretrain", Example)


def test_a_settings_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"none\.json cannot be read: No such file"):
        read_settings(tmp_path / "none.json", "pretrain", Example)


@pytest.mark.parametrize(
    ("cls", "old", "new", "value"),
    [
        (PredictSettings, "gray_correction", "intensity_refinement", False),
        (PredictSettings, "pieces", "components", "each"),
        (FinetuneSettings, "favored", "labeled_weight", 3),
        (FinetuneSettings, "width", "base_channels", 8),
        (PretrainSettings, "width", "base_channels", 8),
        (RefineSettings, "gate", "acceptance", 0.9),
        (RefineSettings, "steady", "slice_consistency", False),
        (FinetuneSettings, "outlined", "outside_is_background", True),
        (FinetuneSettings, "also", "extra_labeled", Path("/more")),
        (RefineSettings, "smallest", "smallest_component", 7),
    ],
)
def test_settings_of_version_0_1_are_read_under_their_names_of_then(cls, old, new, value):
    folder = "labeled" if cls is FinetuneSettings else "images"

    settings = from_dict(cls, {"run": "/run", folder: "/data", old: value})

    assert getattr(settings, new) == value
    assert old not in to_dict(settings)
