"""A network that predicts: with its patch size, device and precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from ContrastiveSegLib.inference.sliding_window import predict_probabilities, predict_slices
from ContrastiveSegLib.session.device import Compute


@dataclass(frozen=True)
class Predictor:
    """Whoever predicts asks this: `predict`, `suggest`, the Python functions, validation, self-training.

    Args:
        network: (B, C, *patch) to scores (B, classes, *patch), on the device. It goes into evaluation mode.
        patch: What it learned from: (H, W) to go slice by slice, (K, H, W) to go block by block.
    """

    network: Callable[..., Any]
    patch: tuple[int, ...]
    compute: Compute

    def slices(self, images: npt.NDArray[Any], *, mirror: bool = False) -> Iterator[npt.NDArray[np.float16]]:
        """Class probabilities of images (C, K, H, W), one slice (classes, H, W) after the other.

        Args:
            mirror: Average over all mirrored copies in plane: four times slower.
        """
        return predict_slices(self._ready(), images, self.patch, self.compute.device, mirror=mirror)

    def probabilities(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float16]:
        """Class probabilities (classes, K, H, W) of images (C, K, H, W), all at once."""
        return predict_probabilities(self._ready(), images, self.patch, self.compute.device)

    def _ready(self) -> Callable[[Tensor], Tensor]:
        """The network in evaluation mode, each of its steps in the precision of the device."""
        if isinstance(self.network, nn.Module):
            self.network.eval()

        def network(images: Tensor) -> Tensor:
            with self.compute.mixed():
                found: Tensor = self.network(images)
                return found

        return network
