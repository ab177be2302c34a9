"""What runs on GitHub covers what the project promises, and the changelog has its form."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def _text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_the_tests_run_on_every_python_that_is_promised_and_on_three_systems() -> None:
    promised = set(re.findall(r"Python :: (3\.\d+)", _text("pyproject.toml")))
    workflow = _text(".github/workflows/test.yml")
    (matrix,) = re.findall(r"python: \[(.*)\]", workflow)

    assert set(re.findall(r"3\.\d+", matrix)) == promised
    assert all(system in workflow for system in ("ubuntu-latest", "windows-latest", "macos-latest"))


def test_everything_that_is_promised_has_a_job() -> None:
    """As CONTRIBUTING lists them."""
    jobs = {path.stem: _jobs(path) for path in (ROOT / ".github" / "workflows").glob("*.yml")}

    assert jobs["test"] >= {"lint", "tests", "without-torch", "panel", "documents", "wheel"}
    assert jobs["extension"] == {"package"}
    assert jobs["weekly"] >= {"dependencies", "slow", "coverage"}
    assert all(
        f"dependencies: {kind}" in _text(".github/workflows/weekly.yml") for kind in ("oldest", "newest")
    )


def _jobs(path: Path) -> set[str]:
    return set(
        re.findall(r"^  ([a-z-]+):$", path.read_text(encoding="utf-8").partition("\njobs:")[2], re.MULTILINE)
    )


def test_every_make_target_of_the_workflows_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", _text("Makefile"), re.MULTILINE))
    folder = ROOT / ".github" / "workflows"
    used = {t for path in folder.glob("*.yml") for t in re.findall(r"run: make ([a-z-]+)", path.read_text())}

    assert used
    assert used <= targets


def test_the_changelog_has_the_form_of_keep_a_changelog() -> None:
    lines = _text("CHANGELOG.md").splitlines()
    releases = [line for line in lines if line.startswith("## ")]
    kinds = [line.removeprefix("### ") for line in lines if line.startswith("### ")]

    assert releases[0] == "## [Unreleased]"
    assert all(re.fullmatch(r"## \[(Unreleased|\d+\.\d+\.\d+)\]( - \d{4}-\d\d-\d\d)?", r) for r in releases)
    assert set(kinds) <= KINDS


def test_the_job_without_torch_is_that_of_one_machine() -> None:
    """Packages and rooms stand in the script for one machine and in the workflow."""
    script, workflow = _text(".ci/run"), _text(".github/workflows/test.yml")
    packages = r"\b(numpy scipy SimpleITK pydicom scikit-image)\b"
    (rooms,) = re.findall(r"Testing/\{([\w,]+)\}", script)
    (listed,) = re.findall(r"run: python -m pytest ((?:Testing/\w+ ?)+)$", workflow, re.MULTILINE)

    assert re.findall(packages, script) == re.findall(packages, workflow)
    assert rooms.split(",") == [room.removeprefix("Testing/") for room in listed.split()]
