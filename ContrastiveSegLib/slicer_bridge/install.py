"""Check for the packages the jobs need, and ask before installing them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ContrastiveSegLib.errors import BadSetting

TORCH = "torch>=2.6"
REQUESTER = "ContrastiveSeg"


@dataclass(frozen=True)
class Found:
    """What Slicer's own Python has.

    Args:
        missing: Requirements as text, without torch.
        has_torch: By its metadata: a half-installed torch counts as there, the smoke test finds it out.
        can_install_torch: Whether the PyTorch extension is there.
    """

    missing: tuple[str, ...]
    has_torch: bool
    can_install_torch: bool

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to install."""
        return self.has_torch and not self.missing

    @property
    def words(self) -> str:
        """One line for the panel."""
        if self.is_complete:
            return "PyTorch and all packages are installed."
        names = [*(["PyTorch"] if not self.has_torch else []), *self.missing]
        return f"Not installed yet: {', '.join(names)}."


def look(requirements: Path) -> Found:
    """What is there, by reading metadata alone: importing torch here could end Slicer.

    Args:
        requirements: The requirements.txt of the module.
    """
    import slicer.packaging  # no attribute of slicer before somebody has imported it

    wanted = [str(requirement) for requirement in slicer.packaging.load_requirements(requirements)]
    return Found(
        missing=tuple(requirement for requirement in wanted if not slicer.packaging.pip_check(requirement)),
        has_torch=bool(slicer.packaging.pip_check(TORCH)),
        can_install_torch=hasattr(slicer.modules, "pytorchutils"),
    )


def install(found: Found) -> None:
    """Install what is missing; Slicer and the PyTorch extension each ask the user first.

    Raises:
        BadSetting: The PyTorch extension is not there, or the user declined.
        RuntimeError: pip failed; the text is pip's.
    """
    import slicer.packaging

    if not found.has_torch:
        # First, because MONAI would otherwise bring a torch that does not know this computer's graphics card.
        _check_can_install_torch(found)
        _install_torch()
    if found.missing:
        slicer.packaging.pip_ensure(list(found.missing), requester=REQUESTER)


def _check_can_install_torch(found: Found) -> None:
    if not found.can_install_torch:
        raise BadSetting(
            "PyTorch is missing, and so is the extension that installs it.",
            "Install the extension 'PyTorch' in the Extensions Manager and restart Slicer, or choose an "
            "external Python that has PyTorch.",
        )


def _install_torch() -> None:
    logic = importlib.import_module("PyTorchUtils").PyTorchUtilsLogic()
    with _torch_kept_out():
        try:
            installed = logic.installTorch(
                askConfirmation=True, torchVersionRequirement=TORCH.removeprefix("torch")
            )
        except ImportError:
            # Its last line imports torch, which is kept out: by then the installation is done.
            installed = True
    if installed is None:
        raise BadSetting("PyTorch was not installed, as you wished.", "Press the button again at any time.")


@contextmanager
def _torch_kept_out() -> Iterator[None]:
    """Let `import torch` fail in here: with Slicer's own libraries loaded, torchvision crashes Slicer."""
    if "torch" in sys.modules:  # somebody else's module was bolder; nothing is left to keep out
        yield
        return
    sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["torch"]
