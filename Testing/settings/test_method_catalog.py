"""The catalog reads a method's settings from its file without running it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ContrastiveSegLib.errors import BadFile, BadSetting
from ContrastiveSegLib.settings.method_catalog import (
    complete_options,
    find_method,
    list_methods,
    settings_class,
)
from ContrastiveSegLib.settings.schema import from_dict

POSITION = '''
"""Position: slices at the same height attract each other.

More about it.
"""
from __future__ import annotations
import a_package_that_nobody_has
raise SystemExit("A catalog must not run this.")

@dataclass(frozen=True)
class Settings:
    """Settings of Position."""

    threshold: Annotated[float, Range(0, 1)] = 0.35
    """How near two slice positions
    must be."""
    queue: Annotated[int, Range(1, 10)] | None = None
    """Length of the queue; empty: none."""
    pooling: Literal["mean", "max"] = "mean"
    """How features are pooled."""
    crop: tuple[float, float] = (0.2, 1.0)
    """Smallest and largest crop."""
    norm: Optional[Annotated[str, "any"]] = None
    """Norm."""
    flip: bool = True
    """Mirror the views."""
    shift: int = -3
    """A negative default."""

    def derived(self) -> int:
        return 1
'''


@pytest.fixture
def a_catalog_folder(tmp_path: Path) -> Path:
    for kind in ("pretraining", "finetuning"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "__init__.py").write_text("")
        (tmp_path / kind / "_promise.py").write_text("not even Python")
    (tmp_path / "pretraining" / "position.py").write_text(POSITION)
    (tmp_path / "pretraining" / "another.py").write_text('"""Another: without settings."""\n')
    (tmp_path / "finetuning" / "supervised.py").write_text('"""Supervised: learn from labels."""\n')
    return tmp_path


def add_method(folder: Path, body: str) -> None:
    """A file bad.py whose Settings hold `body`."""
    fields = textwrap.indent(body, "    ")
    (folder / "pretraining" / "bad.py").write_text(f'"""Bad."""\n\n\nclass Settings:\n{fields}\n')


def test_every_file_without_underscore_is_a_method(a_catalog_folder: Path) -> None:
    found = [(entry.kind, entry.name, entry.caption) for entry in list_methods(a_catalog_folder)]

    assert found == [
        ("pretraining", "another", "Another: without settings."),
        ("pretraining", "position", "Position: slices at the same height attract each other."),
        ("finetuning", "supervised", "Supervised: learn from labels."),
    ]


def test_fields_say_all_that_a_form_needs(a_catalog_folder: Path) -> None:
    fields = find_method("pretraining", "position", a_catalog_folder).fields

    found = [(f.name, f.type, f.default, f.low, f.high, f.choices, f.help) for f in fields]
    assert found == [
        ("threshold", "float", 0.35, 0, 1, (), "How near two slice positions must be."),
        ("queue", "int | None", None, 1, 10, (), "Length of the queue; empty: none."),
        ("pooling", "str", "mean", None, None, ("mean", "max"), "How features are pooled."),
        ("crop", "tuple[float, float]", (0.2, 1.0), None, None, (), "Smallest and largest crop."),
        ("norm", "str | None", None, None, None, (), "Norm."),
        ("flip", "bool", True, None, None, (), "Mirror the views."),
        ("shift", "int", -3, None, None, (), "A negative default."),
    ]


def test_the_catalog_makes_a_class_that_checks_like_the_methods_own(a_catalog_folder: Path) -> None:
    cls = settings_class(find_method("pretraining", "position", a_catalog_folder))

    settings = from_dict(cls, {"threshold": 0.1, "crop": [0.5, 1]})

    assert (settings.threshold, settings.crop, settings.pooling) == (0.1, (0.5, 1.0), "mean")


def test_options_are_completed_with_the_methods_defaults(a_catalog_folder: Path) -> None:
    options = complete_options("pretraining", "position", {"threshold": 0.1}, folder=a_catalog_folder)

    assert options == {
        "threshold": 0.1,
        "queue": None,
        "pooling": "mean",
        "crop": [0.2, 1.0],
        "norm": None,
        "flip": True,
        "shift": -3,
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"treshold": 1}, "no setting 'treshold' in the settings of position. Did you mean 'threshold'"),
        ({"threshold": 2}, "'threshold' in the settings of position is 2.0; allowed is a number from 0 to 1"),
        ({"pooling": "min"}, "allowed is one of 'mean', 'max'"),
    ],
)
def test_options_that_are_not_allowed_are_named(
    a_catalog_folder: Path, options: dict[str, object], expected: str
) -> None:
    with pytest.raises(BadSetting, match=expected):
        complete_options("pretraining", "position", options, folder=a_catalog_folder)


def test_an_unknown_method_is_named_with_the_closest_and_all(a_catalog_folder: Path) -> None:
    with pytest.raises(BadSetting) as caught:
        find_method("pretraining", "positoin", a_catalog_folder)

    assert str(caught.value) == (
        "There is no pretraining method 'positoin'. Did you mean 'position'? Choose from: another, position."
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("width: int = 3", "'width' in .*bad.py, line 5, has no help. Write a string under it"),
        ('width: int\n"""Help."""', "'width' in .*bad.py, line 5, has no plain default"),
        (
            'width: int = 2 * WIDTH\n"""Help."""',
            "has no plain default. Write a number, text or tuple after =",
        ),
        ('width: Tensor = 3\n"""Help."""', "has a type that a form cannot show .*'Tensor'"),
        ('width: int | str = 3\n"""Help."""', "has a type that a form cannot show"),
        ('width: open("x") = 3\n"""Help."""', "has a type that a form cannot show"),
    ],
)
def test_settings_that_a_form_cannot_show_are_named_with_their_line(
    a_catalog_folder: Path, body: str, expected: str
) -> None:
    add_method(a_catalog_folder, body)

    with pytest.raises(BadFile, match=expected):
        list_methods(a_catalog_folder)


def test_a_file_that_is_not_python_is_named(a_catalog_folder: Path) -> None:
    (a_catalog_folder / "pretraining" / "bad.py").write_text('"""Bad."""\nclass')

    with pytest.raises(BadFile, match=r"bad.py cannot be read: invalid syntax"):
        list_methods(a_catalog_folder)


def test_a_method_without_caption_is_named(a_catalog_folder: Path) -> None:
    (a_catalog_folder / "pretraining" / "bad.py").write_text("x = 1\n")

    with pytest.raises(BadFile, match=r"bad.py has no caption. Begin the file with a docstring"):
        list_methods(a_catalog_folder)


def test_the_methods_of_this_engine_can_be_read_without_torch() -> None:
    program = (
        "import sys; from ContrastiveSegLib.settings.method_catalog import list_methods; list_methods(); "
        "print([name for name in ('torch', 'monai', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_an_option_that_is_gone_is_passed_over_where_it_changed_nothing() -> None:
    assert complete_options("pretraining", "polycl", {"static": False}) == complete_options(
        "pretraining", "polycl", {}
    )
    with pytest.raises(BadSetting, match="no setting 'static'"):
        complete_options("pretraining", "polycl", {"static": True})
