"""What a job ran on: versions, device, memory, commit."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil
import torch

from ContrastiveSegLib import __version__
from ContrastiveSegLib.runs.atomic_write import write_json
from ContrastiveSegLib.session.device import Compute

PACKAGES = ("torch", "monai", "numpy", "scipy", "SimpleITK", "scikit-image", "safetensors")


def describe_environment(compute: Compute) -> dict[str, Any]:
    """Plain facts for environment.json and for `check`."""
    return {
        "ContrastiveSeg": __version__,
        "commit": _commit(),
        "python": sys.version.split()[0],
        "system": platform.platform(),
        **{name: _version(name) for name in PACKAGES},
        "device": compute.describe(),
        "device_memory_gb": _gpu_memory_gb(compute),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "memory_free_gb": round(psutil.virtual_memory().available / 2**30, 1),
    }


def write_environment(path: Path, compute: Compute) -> None:
    """Write environment.json; of a resumed job the last start counts."""
    write_json(path, describe_environment(compute))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _gpu_memory_gb(compute: Compute) -> float | None:
    if compute.device.type != "cuda":
        return None
    return round(torch.cuda.get_device_properties(compute.device).total_memory / 2**30, 1)


def _commit() -> str:
    """The commit of a source checkout; an installed package has none."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return ""
    try:
        result = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip()
