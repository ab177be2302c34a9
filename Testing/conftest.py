"""What several tests need: small volumes, prepared cases, a network and a run folder, the same every time.

torch is imported inside the fixtures, because the tests of `volumes` and `runs` also run where it is missing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.volumes.labels import LabelTable, Structure
from ContrastiveSegLib.volumes.slices import PreparedCase
from ContrastiveSegLib.volumes.volume import Geometry, Volume

if TYPE_CHECKING:
    from ContrastiveSegLib.networks.backbone import Backbone
    from ContrastiveSegLib.training.compute import Compute

# The tensors here are so small that two threads would wait for each other longer than they compute.
THREADS = 1
OBLIQUE = (0.8, 0.0, 0.6, 0.0, 1.0, 0.0, -0.6, 0.0, 0.8)
FLIPPED = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, -1.0)


@pytest.fixture(autouse=True, scope="session")
def _the_same_arithmetic_everywhere() -> None:
    """Sums depend on the number of threads."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(THREADS)


def _smooth(shape: tuple[int, ...]) -> np.ndarray:
    """Waves along each axis, 0...1, so that no two directions look alike."""
    waves = [np.sin(0.5 * (axis + 1) + np.linspace(0, axis + 2, n)) for axis, n in enumerate(shape)]
    total = sum(np.meshgrid(*waves, indexing="ij"))
    return ((total - total.min()) / np.ptp(total)).astype(np.float32)


def _structures(shape: tuple[int, ...]) -> np.ndarray:
    """A large ball (1) and a small one (2) at opposite corners of (K, H, W)."""
    places = np.stack(np.meshgrid(*(np.linspace(0, 1, n) for n in shape), indexing="ij"))
    labels = np.zeros(shape, np.int16)
    labels[np.linalg.norm(places - 0.35, axis=0) < 0.3] = 1
    labels[np.linalg.norm(places - 0.75, axis=0) < 0.2] = 2
    return labels


@pytest.fixture
def a_volume() -> Volume:
    """An image of one channel on an anisotropic grid."""
    geometry = Geometry((14, 12, 9), (1.0, 1.25, 2.5), (-12.5, 30.0, 7.0))
    return Volume(_smooth(geometry.shape)[None], geometry)


@pytest.fixture
def an_oblique_volume() -> Volume:
    """An image whose axes are turned by 37 degrees around P."""
    geometry = Geometry((14, 12, 9), (0.9, 1.1, 3.0), (4.0, -8.0, 100.0), OBLIQUE)
    return Volume(_smooth(geometry.shape)[None], geometry)


@pytest.fixture
def a_flipped_volume() -> Volume:
    """An image whose first and last axes run the other way."""
    geometry = Geometry((14, 12, 9), (1.0, 2.0, 3.0), (9.0, 8.0, 7.0), FLIPPED)
    return Volume(_smooth(geometry.shape)[None], geometry)


@pytest.fixture(params=["a_volume", "an_oblique_volume", "a_flipped_volume"])
def any_volume(request: pytest.FixtureRequest) -> Volume:
    """Each of the volumes in turn."""
    volume: Volume = request.getfixturevalue(request.param)
    return volume


@pytest.fixture
def a_label_map(a_volume: Volume) -> Volume:
    """Two structures on the grid of `a_volume`."""
    return Volume(_structures(a_volume.geometry.shape), a_volume.geometry)


@pytest.fixture
def a_label_table() -> LabelTable:
    """Names for the two structures."""
    return LabelTable((Structure(1, "liver", (1.0, 0.0, 0.0)), Structure(2, "spleen", (0.0, 1.0, 0.0))))


@pytest.fixture
def a_labeled_case() -> PreparedCase:
    """A prepared case with two structures."""
    return _prepared_case()


@pytest.fixture
def make_case() -> Callable[..., PreparedCase]:
    """A maker of prepared cases: `make_case(name=..., patient=..., shape=..., channels=...)`."""
    return _prepared_case


def _prepared_case(
    name: str = "case1",
    *,
    patient: str = "",
    shape: tuple[int, int, int] = (6, 40, 48),
    channels: int = 1,
    images: np.ndarray | None = None,
    labels: np.ndarray | None = None,
) -> PreparedCase:
    geometry = Geometry((shape[2], shape[1], shape[0]), (1.0, 1.0, 4.0))
    if images is None:
        noise = np.random.default_rng(sum(name.encode())).normal(0, 0.1, (channels, *shape))
        images = np.clip(_smooth(shape) * 0.8 + 0.1 + noise, 0, 1)
    labels = _structures(shape) if labels is None else labels
    return PreparedCase(name, patient or name, images.astype(np.float16), labels, geometry, geometry)


@pytest.fixture
def a_run_folder(tmp_path: Path) -> RunFolder:
    """An empty run folder."""
    folder = RunFolder(tmp_path / "run")
    folder.create()
    return folder


@pytest.fixture
def a_compute() -> Compute:
    """The CPU with full precision."""
    import torch

    from ContrastiveSegLib.training.compute import Compute

    return Compute(torch.device("cpu"), "float32")


@pytest.fixture
def make_network() -> Callable[..., Backbone]:
    """A maker of small networks: `make_network("unet", in_channels=...)`."""
    from ContrastiveSegLib.networks.backbone import build_network

    def make(name: str = "unet", *, seed: int = 0, **arguments: Any) -> Backbone:
        return build_network(name, seed=seed, **{"width": 4, "classes": 3, **arguments})

    return make


@pytest.fixture
def a_network(make_network: Callable[..., Backbone]) -> Backbone:
    """A small U-Net for one channel and three classes."""
    return make_network()
