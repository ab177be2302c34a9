"""The steps of a MONAI bundle that MONAI does not have; every bundle carries this file.

MONAI's own do not give the same result: they smooth before coarsening in another way, know no grid along the
coarsest axis of each case, and blend, refine and restore probabilities otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.inferers import Inferer
from monai.transforms import MapTransform
from torch import Tensor

from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.inference.sliding_window import predict_slices
from ContrastiveSegLib.postprocessing.decision import Rules, decide_classes, final_labels
from ContrastiveSegLib.postprocessing.spatial_prior import places_from_json
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.resampling import prepare

RAS = np.diag([-1.0, -1.0, 1.0, 1.0])  # MONAI's positions from ours, which are LPS, and back
ENDINGS = (".nii.gz", ".nii")
CHANNEL = re.compile(r"_(\d{4})$")


def list_images(folder: str, channels: int) -> list[dict[str, Any]]:
    """The NIfTI files in a folder, one item per case.

    Args:
        channels: Of the network; from two on, the files NAME_0000, NAME_0001, ... are one case.

    Raises:
        FileNotFoundError: There are none.
    """
    cases: dict[str, list[str]] = {}
    for path in sorted(Path(folder).iterdir()):
        if path.name.endswith(ENDINGS):
            name = path.name.removesuffix(".gz").removesuffix(".nii")
            cases.setdefault(CHANNEL.sub("", name) if channels > 1 else name, []).append(str(path))
    if not cases:
        raise FileNotFoundError(f"There are no NIfTI files in {folder}.")
    return [{"image": files if len(files) > 1 else files[0]} for files in cases.values()]


class ToWorkingGridd(MapTransform):
    """Images (C, I, J, K) to the grid and gray values that the network learned from: (C, K, H, W).

    Args:
        grid: Fields of `WorkingGrid`.
        intensities: Fields of `Intensities`.
        channels: Of the network.
    """

    def __init__(
        self, keys: KeysCollection, *, grid: Mapping[str, Any], intensities: Mapping[str, Any], channels: int
    ) -> None:
        super().__init__(keys)
        self.grid = WorkingGrid(**{**grid, "patch": tuple(grid["patch"])})
        window = intensities["window"]
        self.intensities = Intensities(intensities["modality"], tuple(window) if window else None)
        self.channels = channels

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        return {**data, **{key: self._prepared(data[key]) for key in self.key_iterator(dict(data))}}

    def _prepared(self, image: MetaTensor) -> MetaTensor:
        array = image.cpu().numpy()
        if array.ndim != 4 or len(array) != self.channels:
            name, shape = image.meta.get("filename_or_obj", "An image"), "x".join(map(str, array.shape))
            raise ValueError(f"{name}: expected {self.channels} channel(s) of a volume, got {shape}.")
        geometry = _geometry(image.affine.cpu().numpy(), array.shape[1:])
        volume = Volume(np.ascontiguousarray(array.transpose(0, 3, 2, 1), np.float32), geometry)
        working, _ = prepare(volume, self.grid, self.intensities)
        meta = {name: value for name, value in image.meta.items() if name != "affine"}
        meta |= {"image_affine": image.affine.cpu(), "image_size": torch.tensor(geometry.size)}
        affine = _affine(working.geometry)[:, [2, 1, 0, 3]]  # of the axes K, H, W
        return MetaTensor(torch.from_numpy(working.array.astype(np.float32)), torch.from_numpy(affine), meta)


class SlicesOrBlocks(Inferer):
    """Prepared images (B, C, K, H, W) to class probabilities (B, classes, K, H, W).

    Args:
        patch: What the network learned from: (H, W) to go slice by slice, (K, H, W) to go block by block.
        mirror: Average over mirrored copies: four times slower.
    """

    def __init__(self, patch: Sequence[int], *, mirror: bool = False) -> None:
        super().__init__()
        self.patch, self.mirror = tuple(patch), mirror

    def __call__(self, inputs: Tensor, network: Any, *_args: Any, **_kwargs: Any) -> Tensor:
        found = [
            [*predict_slices(network, image, self.patch, inputs.device, mirror=self.mirror)]
            for image in torch.Tensor.numpy(inputs.as_subclass(torch.Tensor).cpu())
        ]
        return torch.from_numpy(np.stack([np.stack(slices, axis=1) for slices in found]))


class ToLabelsd(MapTransform):
    """Class probabilities on the working grid to labels (1, I, J, K) on the grid of the image.

    Args:
        image_key: The prepared image.
        values: The value of each structure in the files.
        single_components: Groups of classes of which one component is kept.
        places: Where a group usually lies.
        intensity_refinement: Let the gray values of the image correct its own prediction.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        image_key: str,
        values: Sequence[int],
        single_components: Sequence[Sequence[int]] = (),
        places: Sequence[Mapping[str, Any]] = (),
        intensity_refinement: bool = True,
    ) -> None:
        super().__init__(keys)
        self.image_key = image_key
        groups = tuple(tuple(group) for group in single_components)
        self.rules = Rules(tuple(values), groups, places_from_json(places), intensity_refinement)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        image = data[self.image_key]
        return {**data, **{key: self._labels(data[key], image) for key in self.key_iterator(dict(data))}}

    def _labels(self, probabilities: Tensor, image: MetaTensor) -> MetaTensor:
        affine, size = (np.asarray(image.meta[name]) for name in ("image_affine", "image_size"))
        array = image.cpu().numpy()
        working = _geometry(image.affine.cpu().numpy()[:, [2, 1, 0, 3]], array.shape[:0:-1])
        slices = iter(np.moveaxis(probabilities.cpu().numpy(), 1, 0).astype(np.float16))
        classes, _ = decide_classes(
            slices, Volume(array, working), _geometry(affine, size.tolist()), self.rules
        )
        labels = np.ascontiguousarray(final_labels(classes.array, self.rules).transpose(2, 1, 0)[None])
        meta = {"filename_or_obj": image.meta["filename_or_obj"]}
        return MetaTensor(torch.from_numpy(labels), torch.from_numpy(affine.astype(float)), meta)


def _geometry(affine: Any, size: Sequence[int]) -> Geometry:
    """What MONAI says of a grid (I, J, K), in our words."""
    lps = RAS @ np.asarray(affine, float)
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    direction = (lps[:3, :3] / spacing).ravel().tolist()
    return Geometry.from_lists([int(n) for n in size], spacing.tolist(), lps[:3, 3].tolist(), direction)


def _affine(geometry: Geometry) -> Any:
    """The other way round: (4, 4)."""
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(geometry.direction, (3, 3)) * geometry.spacing
    affine[:3, 3] = geometry.origin
    return RAS @ affine
