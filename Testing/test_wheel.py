"""The built wheel, installed into an empty environment: what it holds, and the command that it brings."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

import ContrastiveSegLib

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "ContrastiveSegLib")
SCRIPTS = "Scripts" if os.name == "nt" else "bin"


@pytest.fixture(scope="module")
def a_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources, so that nothing is left beside them."""
    setuptools = pytest.importorskip("setuptools")
    if int(setuptools.__version__.partition(".")[0]) < 77:
        pytest.skip("setuptools is older than the build asks for")
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    code = "import setuptools.build_meta as b; b.build_wheel('dist')"
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, capture_output=True)
    return next((folder / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def an_empty_environment(a_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the wheel and nothing else."""
    pytest.importorskip("pip")
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    words = ["--python", str(folder), "install", "--no-deps", "--no-index", "--quiet", str(a_wheel)]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True, capture_output=True)
    return folder


def _run(environment: Path, *words: str, path: str = "") -> str:
    variables = {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [str(environment / SCRIPTS / words[0]), *words[1:]],
        cwd=environment, env=variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_every_file_of_the_library(a_wheel: Path) -> None:
    held = set(zipfile.ZipFile(a_wheel).namelist())
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "ContrastiveSegLib").rglob("*.py")}

    assert files - held == set()
    assert {name.partition("/")[0] for name in held if not name.startswith("contrastiveseg-")} == {
        "ContrastiveSegLib"
    }


def test_a_core_installation_needs_these_packages_and_no_other() -> None:
    tomllib = pytest.importorskip("tomllib", reason="it comes with Python 3.11")
    facts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    needed = [re.split(r"[<>=]", one)[0] for one in facts["project"]["dependencies"]]

    assert sorted(needed, key=str.lower) == [
        "matplotlib", "monai", "numpy", "psutil", "pydicom", "safetensors", "scikit-image", "scipy",
        "SimpleITK", "torch", "tqdm", "tyro",
    ]  # fmt: skip


def test_an_empty_environment_lists_methods_without_any_other_package(an_empty_environment: Path) -> None:
    code = (
        "import ContrastiveSegLib.settings.method_catalog as c; "
        "print(len(c.list_methods()), c.__file__, __import__('ContrastiveSegLib').__version__)"
    )

    count, file, version = _run(an_empty_environment, "python", "-c", code).split()

    assert int(count) > 15
    assert Path(file).resolve().is_relative_to(an_empty_environment.resolve())
    assert version == ContrastiveSegLib.__version__


def test_the_command_of_the_wheel_does_a_job(an_empty_environment: Path) -> None:
    # What the program depends on comes from the Python of the tests.
    packages = sysconfig.get_paths()["purelib"]

    shown = _run(an_empty_environment, "contrastiveseg", "methods", path=packages)

    assert "pretraining\tpcl\t" in shown
    assert "finetuning\tsupervised\t" in shown
