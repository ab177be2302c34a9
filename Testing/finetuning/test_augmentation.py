"""Strong augmentation: labels move with their images, and stay unknown where they were."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from ContrastiveSegLib.finetuning._augmentation import Augmentation
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.training.batches import Batch

PATCH = (32, 32)


def test_labels_move_with_their_images(a_batch, monkeypatch):
    monkeypatch.setattr(
        "ContrastiveSegLib.finetuning._augmentation.augment_intensities", lambda images, *_: images
    )

    images, labels = Augmentation(PATCH)(a_batch, Generator().manual_seed(0))

    assert images.shape == (4, 1, *PATCH)
    assert labels.shape == (4, *PATCH)
    assert labels.dtype == torch.int64
    expected = (images[:, 0] * 2.5 - 0.25).round().clamp(min=0).long()
    assert (expected == labels).float().mean() > 0.93  # they may differ where a border runs through a pixel
    moved = (labels != a_batch.labels[:, 5:37, 5:37]).flatten(1).any(1)
    assert moved.all()


def test_blocks_are_augmented_in_plane():
    labels = torch.arange(1, 5).view(1, 4, 1, 1).expand(2, 4, 42, 42).contiguous()
    batch = Batch(labels[:, None] / 4, torch.ones(2), torch.arange(2), labels)

    images, moved = Augmentation((4, *PATCH))(batch, Generator().manual_seed(0))

    assert images.shape == (2, 1, 4, *PATCH)
    assert moved.shape == (2, 4, *PATCH)
    for k in range(4):
        assert set(moved[:, k, 8:24, 8:24].unique().tolist()) == {k + 1}


def test_without_mirroring_left_stays_left():
    halves = torch.zeros(64, 42, 42, dtype=torch.int64)
    halves[:, :, :21] = 1
    batch = Batch(halves[:, None].float(), torch.ones(64), torch.arange(64), halves)

    def share_on_the_left(*, mirror: bool) -> Tensor:
        _, labels = Augmentation(PATCH, 0.0, mirror=mirror)(batch, Generator().manual_seed(0))
        return labels[:, :, :6].float().mean(dim=(1, 2))

    assert share_on_the_left(mirror=False).min() > 0.5
    assert share_on_the_left(mirror=True).min() < 0.1


def test_the_rotation_is_limited_by_its_setting():
    assert Augmentation(PATCH, rotation=90).spatial.rotation == pytest.approx(np.pi / 2)


def test_only_what_was_known_before_is_known_after_and_nothing_beyond_the_image(a_batch):
    scribbles = torch.full_like(a_batch.labels, IGNORE_LABEL)
    scribbles[:, 20:22] = 1  # a band of two rows
    batch = replace(a_batch, images=(scribbles[:, None] == 1).float(), labels=scribbles)
    turned = Augmentation((40, 40), rotation=45, beyond=IGNORE_LABEL)

    labels = turned(batch, Generator().manual_seed(1))[1]

    assert set(labels.unique().tolist()) == {IGNORE_LABEL, 1}
    assert 0.02 < (labels == 1).float().mean() < 0.1


def test_what_lies_beyond_a_fully_known_image_is_background(a_batch):
    batch = replace(a_batch, labels=torch.ones_like(a_batch.labels))

    labels = Augmentation((48, 48), rotation=45)(batch, Generator().manual_seed(1))[1]

    assert set(labels.unique().tolist()) == {0, 1}


def test_a_batch_without_labels_is_refused(a_batch):
    with pytest.raises(ValueError, match="needs a batch with labels"):
        Augmentation(PATCH)(replace(a_batch, labels=None), Generator())
