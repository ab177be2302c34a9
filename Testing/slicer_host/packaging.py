"""`slicer.packaging`: checks are real, installations are only written down."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

__all__ = [
    "InvalidRequirement",
    "Requirement",
    "canonicalize_name",
    "isPipInstallInProgress",
    "load_requirements",
    "pip_check",
    "pip_ensure",
    "pip_install",
    "pip_uninstall",
]


class Installations:
    """What was asked to be installed, what the user answers, and what counts as installed."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Nothing was asked, the user agrees, everything real counts."""
        self.requested: list[tuple[str, tuple[str, ...]]] = []
        self.user_agrees = True
        self.failure: Exception | None = None
        self.present: dict[str, str] = {}

    def version(self, name: str) -> str | None:
        """The version of a package: as the test pretends, or as it is."""
        if name in self.present:
            return self.present[name] or None
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return None

    def install(self, kind: str, requirements: list[Requirement]) -> None:
        """Pretend to install: afterwards `pip_check` finds the packages, unless the test wants a failure."""
        self.requested.append((kind, tuple(map(str, requirements))))
        if self.failure is not None:
            raise self.failure
        for requirement in requirements:
            limits = [spec.version for spec in requirement.specifier if spec.operator in (">=", "==", "~=")]
            self.present[canonicalize_name(requirement.name)] = limits[0] if limits else "1.0"


INSTALLATIONS = Installations()


def _as_list(requirements: Any) -> list[Requirement]:
    if isinstance(requirements, (str, Requirement)):
        requirements = [requirements]
    return [entry if isinstance(entry, Requirement) else Requirement(entry) for entry in requirements]


def pip_check(req: Any, _seen: Any = None) -> bool:
    """Whether the packages are installed in these versions; nothing is imported."""
    del _seen
    return all(_is_there(requirement) for requirement in _as_list(req))


def _is_there(requirement: Requirement) -> bool:
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    version = INSTALLATIONS.version(canonicalize_name(requirement.name))
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def pip_ensure(
    requirements: Any,
    constraints: str | Path | None = None,
    skip_packages: list[str] | None = None,
    prompt_install: bool = True,
    prompt_restart: bool = True,
    requester: str | None = None,
    skip_in_testing: bool = True,
    show_progress: bool = True,
) -> list[str] | None:
    """Install what is missing, after asking."""
    import slicer

    del constraints, prompt_restart, show_progress
    skipped = {canonicalize_name(name) for name in skip_packages or ()}
    missing = [
        r for r in _as_list(requirements) if not pip_check(r) and canonicalize_name(r.name) not in skipped
    ]
    if not missing or (skip_in_testing and slicer.app.testingEnabled()):
        return None
    if prompt_install:
        INSTALLATIONS.requested.append((f"asked by {requester}", tuple(map(str, missing))))
        if not INSTALLATIONS.user_agrees:
            raise RuntimeError("User declined package installation")
    INSTALLATIONS.install("pip_ensure", missing)
    return sorted(skipped)


def pip_install(
    requirements: Any,
    constraints: str | Path | None = None,
    no_deps_requirements: Any = None,
    skip_packages: list[str] | None = None,
    blocking: bool = True,
    show_progress: bool = True,
    requester: str | None = None,
    logCallback: Any = None,
    completedCallback: Any = None,
) -> list[str] | None:
    """Install packages."""
    del constraints, no_deps_requirements, skip_packages, show_progress, requester
    texts = requirements.split() if isinstance(requirements, str) else requirements
    INSTALLATIONS.install("pip_install", _as_list([text for text in texts if not text.startswith("-")]))
    if logCallback is not None:
        logCallback("Successfully installed")
    if not blocking and completedCallback is not None:
        completedCallback(0)
    return None


def pip_uninstall(
    requirements: Any, blocking: bool = True, logCallback: Any = None, completedCallback: Any = None
) -> None:
    """Take packages away."""
    del logCallback
    INSTALLATIONS.requested.append(("pip_uninstall", tuple(map(str, _as_list(requirements)))))
    for requirement in _as_list(requirements):
        INSTALLATIONS.present[canonicalize_name(requirement.name)] = ""
    if not blocking and completedCallback is not None:
        completedCallback(0)


def isPipInstallInProgress() -> bool:
    """Whether pip works in the background; here it is done at once."""
    return False


def load_requirements(path: str | Path) -> list[Requirement]:
    """The lines of a requirements file."""
    lines = (line.partition("#")[0].strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line]
