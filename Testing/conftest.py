"""What several tests need: small volumes, prepared cases, a network and a run folder, the same every time.

torch is imported inside the fixtures, because the tests of the rooms below also run where it is missing.
"""

from __future__ import annotations

import locale
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.phantoms.phantom import PhantomCounts, write_phantom_folder
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.runs.run_folder import RunFolder
from Testing.orientations import OBLIQUE

if TYPE_CHECKING:
    from ContrastiveSegLib.networks.backbone import Backbone
    from ContrastiveSegLib.session.device import Compute

# The tensors here are so small that two threads would wait for each other longer than they compute.
THREADS = 1
SEED = 0
FLIPPED = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, -1.0)


@pytest.fixture(autouse=True, scope="session")
def _the_same_arithmetic_everywhere() -> None:
    """Sums depend on the number of threads."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(THREADS)


@pytest.fixture(autouse=True)
def _the_same_words_in_any_order() -> Iterator[None]:
    """GDCM leaves the process with plain ASCII, which the next test would notice."""
    words = locale.setlocale(locale.LC_CTYPE)
    yield
    locale.setlocale(locale.LC_CTYPE, words)


@pytest.fixture(autouse=True)
def _the_same_random_numbers_in_any_order() -> None:
    """Layers that a test makes itself would otherwise start from what the tests before it left."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(SEED)


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cases each to learn from, with labels and to predict, in a folder that nobody may change."""
    folder = tmp_path_factory.mktemp("phantoms") / "mit Umlaut ä und Leerzeichen"
    write_phantom_folder(folder, PhantomCounts(unlabeled=2, labeled=2, test=2), seed=0)
    return folder


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

    from ContrastiveSegLib.session.device import Compute

    return Compute(torch.device("cpu"), "float32")


@pytest.fixture
def make_network() -> Callable[..., Backbone]:
    """A maker of small networks: `make_network("unet", in_channels=...)`."""
    from ContrastiveSegLib.networks.backbone import build_network

    def make(name: str = "unet", *, seed: int = 0, **arguments: Any) -> Backbone:
        return build_network(name, seed=seed, **{"base_channels": 4, "classes": 3, **arguments})

    return make


@pytest.fixture
def a_network(make_network: Callable[..., Backbone]) -> Backbone:
    """A small U-Net for one channel and three classes."""
    return make_network()


@pytest.fixture(scope="session")
def a_sam_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny SAM with random weights, as transformers saves it."""
    transformers = pytest.importorskip("transformers", reason="promptable models need transformers")
    import torch

    config = transformers.SamConfig(
        vision_config={
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 128,
            "output_channels": 16,
            "num_pos_feats": 8,
            "global_attn_indexes": [1],
            "window_size": 4,
            "initializer_range": 0.2,
        },
        prompt_encoder_config={"hidden_size": 16, "image_size": 128},
        mask_decoder_config={"hidden_size": 16, "mlp_dim": 32, "iou_head_hidden_dim": 16},
    )
    folder = tmp_path_factory.mktemp("models") / "tiny_sam"
    torch.manual_seed(0)
    transformers.SamModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def a_sam2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny SAM 2 with memory and random weights, as transformers saves it."""
    transformers = pytest.importorskip("transformers", reason="promptable models need transformers")
    import torch

    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 16,
        "num_attention_heads": 1,
        "image_size": [128, 128],
        "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": [16, 32, 64, 128],
        "num_attention_heads_per_stage": [1, 2, 4, 8],
        "global_attention_blocks": [3],
        "window_size_per_stage": [8, 4, 4, 2],
    }
    config = transformers.Sam2VideoConfig(
        vision_config={
            "backbone_config": backbone,
            "backbone_channel_list": [128, 64, 32, 16],
            "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
            "fpn_hidden_size": 128,
        },
        prompt_encoder_config={"hidden_size": 128, "image_size": 128, "patch_size": 16},
        mask_decoder_config={"hidden_size": 128, "mlp_dim": 32, "iou_head_hidden_dim": 64},
        image_size=128,
        memory_attention_hidden_size=128,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32,
        memory_attention_rope_feat_sizes=[8, 8],
        memory_encoder_hidden_size=128,
        memory_encoder_output_channels=64,
        memory_fuser_embed_dim=128,
        memory_fuser_intermediate_dim=32,
        memory_fuser_num_layers=1,
        mask_downsampler_embed_dim=128,
    )
    folder = tmp_path_factory.mktemp("models") / "tiny_sam2"
    torch.manual_seed(0)
    transformers.Sam2VideoModel(config).save_pretrained(folder)
    return folder
