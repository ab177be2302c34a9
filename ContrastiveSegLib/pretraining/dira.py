"""DiRA: tell slices apart, restore them, and deceive a critic that recognizes restored slices.

Source: Haghighi et al., DiRA: discriminative, restorative, and adversarial learning for self-supervised
medical image analysis, CVPR 2022, arXiv 2204.10437; the discriminative part is MoCo's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from monai.networks.nets import PatchDiscriminator
from torch import Generator, Tensor
from torch.func import functional_call

from ContrastiveSegLib.contrast.augmentation import intensity_augmentation, spatial_augmentation
from ContrastiveSegLib.contrast.losses import queue_loss
from ContrastiveSegLib.distributed.gathering import mean
from ContrastiveSegLib.networks.backbone import Backbone
from ContrastiveSegLib.networks.heads import CONV, ImageProjector
from ContrastiveSegLib.networks.momentum_encoder import MomentumEncoder, Queue
from ContrastiveSegLib.pretraining._method import PretrainingMethod
from ContrastiveSegLib.settings.rules import Label, Range
from ContrastiveSegLib.training.batches import Batch


@dataclass(frozen=True)
class Settings:
    """Settings of DiRA."""

    restoration: Annotated[float, Range(0.0, 1000.0), Label("weight of the restoration")] = 10.0
    """Weight of the mean squared error of the restored image."""

    adversary: Annotated[float, Range(0.0, 10.0), Label("weight of the adversary")] = 0.001
    """Weight of the adversarial term: the critic should take restored images for originals."""

    temperature: Annotated[float, Range(0.01, 1.0), Label("temperature of the contrast")] = 0.2
    """How sharply similar images are told apart; lower is sharper."""

    queue: Annotated[int, Range(16, 1_000_000), Label("queue length", "images")] = 2048
    """Number of earlier images that each image is compared with."""

    momentum: Annotated[float, Range(0.5, 1.0), Label("momentum of the second encoder")] = 0.99
    """Momentum of the EMA encoder; published 0.999, for trainings of a million steps."""


class Method(PretrainingMethod):
    """DiRA on the encoder and the decoder."""

    trains = ("encoder", "decoder")
    smallest_batch = 2  # of batch norm in the critic

    def __init__(self, network: Backbone, settings: Settings) -> None:
        super().__init__()
        self.network, self.settings, width = network, settings, network.widths[-1]
        dims, channels = len(network.stride), network.in_channels
        self.projector = ImageProjector(width, width, width)
        self.restore = CONV[dims](network.widths[0], channels, 1)
        self.critic = PatchDiscriminator(dims, 32, channels, num_layers_d=2)
        self.slow_network, self.slow_projector = MomentumEncoder(network), MomentumEncoder(self.projector)
        self.queue = Queue(settings.queue, width)

    def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
        how = self.settings
        original = spatial_augmentation(batch.images, generator)
        features = self.network.encode(intensity_augmentation(original, generator))
        queries = self.projector(features[-1])
        self.slow_network.follow(self.network, how.momentum)
        self.slow_projector.follow(self.projector, how.momentum)
        second = intensity_augmentation(spatial_augmentation(batch.images, generator), generator)
        keys = self.slow_projector(self.slow_network.encode(second)[-1])
        self.watch(queries)
        told_apart = queue_loss(queries, keys, self.queue.snapshot(), temperature=how.temperature)
        self.queue.push(keys)
        restored = self.restore(self.network.decode(features)).float()
        return {
            "queue": told_apart,
            "restoration": how.restoration * mean((restored - original).square()),
            "adversary": how.adversary * self._fooled(restored),
            "critic": self._critic_errs(original, restored.detach()),
        }

    def _fooled(self, restored: Tensor) -> Tensor:
        """How little the critic is fooled, as it is now: its own weights take no gradient from this."""
        fixed = {name: value.detach() for name, value in self.critic.named_parameters()}
        seen = functional_call(self.critic, fixed, (restored,))[-1].float()
        return least_squares(seen, 1.0)

    def _critic_errs(self, original: Tensor, restored: Tensor) -> Tensor:
        verdicts = [self.critic(images)[-1].float() for images in (original, restored)]
        return 0.5 * (least_squares(verdicts[0], 1.0) + least_squares(verdicts[1], 0.0))


def least_squares(verdict: Tensor, wanted: float) -> Tensor:
    """How far a verdict of the critic, patch by patch, is from 1 (original) or 0 (restored).

    Source: Mao et al., Least squares generative adversarial networks, ICCV 2017, arXiv 1611.04076.
    """
    return mean((verdict - wanted).square())
