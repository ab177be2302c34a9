"""The extension as a reviewer of the Extensions Index sees it: metadata, packaged files, icon, catalog."""

from __future__ import annotations

import ast
import json
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = "lib/Slicer-5.12/qt-scripted-modules"
ALLOWED_AT_FILE_SCOPE = {"slicer", "vtk", "qt", "ctk", "SimpleITK", "numpy", "scipy"}
OWN = {"ContrastiveSegLib", "ContrastiveSegPanel", "ContrastiveSegSelfTest"}


@pytest.fixture(scope="module")
def an_installed_extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree that Slicer's macros would install, made with stand-ins for them."""
    cmake = shutil.which("cmake")
    if cmake is None:
        pytest.skip("cmake is not installed")
    build, target = tmp_path_factory.mktemp("build"), tmp_path_factory.mktemp("installed")
    stand_ins = ROOT / "Testing" / "cmake_stand_ins"
    for words in (
        ["-S", str(ROOT), "-B", str(build), f"-DSlicer_DIR={stand_ins}"],
        ["--install", str(build), "--prefix", str(target)],
    ):
        done = subprocess.run([cmake, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    shutil.copy(build / "extension.txt", target)
    return target


def test_every_tracked_file_of_module_and_library_is_packaged(an_installed_extension: Path) -> None:
    place = an_installed_extension / MODULES
    for folder, base in (("ContrastiveSeg", ROOT / "ContrastiveSeg"), ("ContrastiveSegLib", ROOT)):
        files = [
            path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts
        ]
        tests = [
            path for path in files if base.name == "ContrastiveSeg" and path.is_relative_to(base / "Testing")
        ]
        shipped = [path for path in files if path.name != "CMakeLists.txt" and path not in tests]
        assert [str(path) for path in shipped if not (place / path.relative_to(base)).is_file()] == []
        assert [str(path) for path in tests if (place / path.relative_to(base)).exists()] == []
        assert shipped


def test_the_installed_library_imports_without_the_checkout(an_installed_extension: Path) -> None:
    code = (
        "from ContrastiveSegLib.settings import method_catalog as c; "
        "from ContrastiveSegLib.slicer_bridge import process as p; "
        "print(len(c.list_methods()), c.__file__)"
    )
    place = an_installed_extension / MODULES

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=True, env={"PATH": ""}
    )

    count, file = done.stdout.split(maxsplit=1)
    assert int(count) > 10
    assert Path(file.strip()).is_relative_to(place)


def test_metadata_name_an_icon_and_pictures_that_are_there(an_installed_extension: Path) -> None:
    lines = (an_installed_extension / "extension.txt").read_text(encoding="utf-8").splitlines()
    facts = dict(line.split("=", 1) for line in lines)

    assert facts["DEPENDS"] == "PyTorch"
    for url in [facts["ICONURL"], *facts["SCREENSHOTURLS"].split(" ")]:
        assert (ROOT / url.partition("/main/")[2]).is_file(), url


def test_the_catalog_entry_has_what_its_schema_asks() -> None:
    entry = json.loads((ROOT / "ContrastiveSeg.json").read_text(encoding="utf-8"))

    assert entry["category"] == "Segmentation"
    assert entry["scm_url"].endswith("/SlicerContrastiveSeg")
    assert entry["build_dependencies"] == ["PyTorch"]
    assert re.search(r"catalog-entry-schema-v1\.0\.\d\.json", entry["$schema"])


@pytest.mark.parametrize(
    "path", ["ContrastiveSeg.png", "ContrastiveSeg/Resources/Icons/ContrastiveSeg.png"], ids=str
)
def test_icons_are_128_pixels_wide_and_high(path: str) -> None:
    head = (ROOT / path).read_bytes()[:24]

    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", head[16:24]) == (128, 128)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "ContrastiveSeg").glob("**/*.py")), ids=lambda path: path.name
)
def test_nothing_heavy_is_imported_and_nothing_is_done_at_file_scope(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [
        (alias.name if isinstance(node, ast.Import) else (node.module or "")).partition(".")[0]
        for node in tree.body
        if isinstance(node, (ast.Import, ast.ImportFrom)) and not getattr(node, "level", 0)
        for alias in node.names
    ]
    calls = [node for node in tree.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
    calls = [node for node in calls if "sys.path.insert" not in ast.unparse(node)]

    assert set(names) <= ALLOWED_AT_FILE_SCOPE | OWN | set(sys.stdlib_module_names)
    assert calls == []
