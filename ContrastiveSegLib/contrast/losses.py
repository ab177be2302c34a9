"""Losses on plain matrices: features (N, D) and positives (N, N)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

BASE_TEMPERATURE = 0.07


def contrastive_loss(
    features: Tensor,
    positives: Tensor,
    *,
    temperature: float = 0.1,
    base_temperature: float = BASE_TEMPERATURE,
) -> Tensor:
    """Pull positives together and push all others apart; any number of positives per anchor.

    Computed in float32 whatever comes in and whatever surrounds it: features of a fresh network are nearly
    equal, and the products of bfloat16 round their differences to nothing, so that the loss never leaves its
    collapse value.

    Args:
        features: (..., N, D), any length; they are normalized here. Leading axes are independent problems.
        positives: (..., N, N) boolean; the diagonal is ignored.
        base_temperature: The released code of SupCon, PCL, MACL and SuperCL multiplies by
            temperature / 0.07; the printed equations do not. Give `temperature` for the printed form.

    Returns:
        Scalar: mean over the anchors that have a positive.

    Source: Khosla et al., Supervised contrastive learning, NeurIPS 2020, arXiv 2004.11362, equation 2;
    specification of SuperCL and MACL, section 1.6.
    """
    with torch.autocast(features.device.type, enabled=False):
        features = F.normalize(features.float(), dim=-1)
        similarity = features @ features.transpose(-1, -2) / temperature  # (..., N, N)
    itself = torch.eye(similarity.shape[-1], dtype=torch.bool, device=similarity.device)
    log_probability = similarity - similarity.masked_fill(itself, -math.inf).logsumexp(-1, keepdim=True)

    positives = positives & ~itself
    count = positives.sum(-1)
    per_anchor = -(log_probability * positives).sum(-1) / count.clamp(min=1)
    anchors = (count > 0).expand_as(per_anchor)
    return (temperature / base_temperature) * (per_anchor * anchors).sum() / anchors.sum().clamp(min=1)


def collapse_value(
    anchors: int, *, temperature: float = 0.1, base_temperature: float = BASE_TEMPERATURE
) -> float:
    """What `contrastive_loss` gives when all features are equal: 4.9057 for 16 images in two views."""
    return temperature / base_temperature * math.log(anchors - 1)
