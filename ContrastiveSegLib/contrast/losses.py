"""Losses on plain matrices: features (N, D), with positives (N, N), with partners, or with a queue.

Where several processes work together, the rows of features are those of one process, masks are those of all,
and each loss is that of all.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ContrastiveSegLib.distributed.gathering import gathered, gathered_lists, mean, total

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
        features: (..., N, D), a row per image, any length; they are normalized here. Leading axes are
            independent problems.
        positives: (..., N, N) boolean; the diagonal is ignored.
        base_temperature: The released code of SupCon, PCL, MACL and SuperCL multiplies by
            temperature / 0.07; the printed equations do not. Give `temperature` for the printed form.

    Returns:
        Scalar: mean over the anchors that have a positive.

    Source: Khosla et al., Supervised contrastive learning, NeurIPS 2020, arXiv 2004.11362, equation 2;
    docs/methods/index.md.
    """
    summed, anchors = _over_anchors(gathered(features, dim=-2), positives, temperature)
    return (temperature / base_temperature) * summed / anchors.clamp(min=1)


def contrastive_loss_in_each_image(
    features: Tensor, positives: Tensor, *, temperature: float = 0.1
) -> Tensor:
    """`contrastive_loss` of the rows of each image among themselves.

    Args:
        features: (B, N, D).
        positives: (B, N, N) boolean.
    """
    summed, anchors = _over_anchors(features, positives, temperature)
    return (temperature / BASE_TEMPERATURE) * total(summed) / total(anchors).clamp(min=1)


def _over_anchors(features: Tensor, positives: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """The sum over the anchors that have a positive, and how many these are."""
    with torch.autocast(features.device.type, enabled=False):
        features = F.normalize(features.float(), dim=-1)
        similarity = features @ features.transpose(-1, -2) / temperature  # (..., N, N)
    itself = torch.eye(similarity.shape[-1], dtype=torch.bool, device=similarity.device)
    log_probability = similarity - similarity.masked_fill(itself, -math.inf).logsumexp(-1, keepdim=True)

    positives = positives & ~itself
    count = positives.sum(-1)
    per_anchor = -(log_probability * positives).sum(-1) / count.clamp(min=1)
    anchors = (count > 0).expand_as(per_anchor)
    return (per_anchor * anchors).sum(), anchors.sum()


def labeled_pairs_loss(features: Tensor, labels: Tensor, *, temperature: float = 0.05) -> Tensor:
    """NT-Xent over labeled rows: each pair of one label attracts, against all rows of other labels.

    Other than in `contrastive_loss`, further rows of the own label are not in the denominator of a pair.

    Args:
        features: (N, D), any length.
        labels: (N,).

    Returns:
        Scalar: mean over ordered pairs; 0 where no label has two rows, or there is only one label.

    Source: docs/strategies/dual_ssl.md.
    """
    features, labels = gathered_lists(features), gathered_lists(labels)
    with torch.autocast(features.device.type, enabled=False):
        features = F.normalize(features.float(), dim=1)
        similarity = features @ features.T / temperature  # (N, N)
    same = labels[:, None] == labels[None, :]
    # Of a row without others the sum is as good as zero; -inf would make its gradient NaN.
    others = similarity.masked_fill(same, -1e4).logsumexp(1, keepdim=True)
    pairs = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    return (F.softplus(others - similarity) * pairs).sum() / pairs.sum().clamp(min=1)


def collapse_value(
    anchors: int, *, temperature: float = 0.1, base_temperature: float = BASE_TEMPERATURE
) -> float:
    """What `contrastive_loss` gives when all features are equal: 4.9057 for 16 images in two views."""
    return temperature / base_temperature * math.log(anchors - 1)


def spread(features: Tensor) -> Tensor:
    """How far the directions of features (N, D) differ: 1 when they point everywhere, 0 after a collapse."""
    with torch.no_grad(), torch.autocast(features.device.type, enabled=False):
        unit = F.normalize(gathered(features.detach().float().flatten(0, -2)), dim=-1)
        return (1 - unit.mean(0).square().sum()).clamp(min=0).sqrt()


def positives_per_anchor(positives: Tensor) -> Tensor:
    """The mean number of positives of a row of (..., N, N), itself not counted."""
    with torch.no_grad():
        itself = torch.eye(positives.shape[-1], dtype=torch.bool, device=positives.device)
        return (positives & ~itself).sum(-1).float().mean()


def queue_loss(queries: Tensor, keys: Tensor, queue: Tensor, *, temperature: float = 0.2) -> Tensor:
    """Each query attracts its own key and pushes the keys of the past away.

    Args:
        queries: (N, D), any length.
        keys: (N, D), the other view's features of the slow network; no gradient reaches them.
        queue: (Q, D), unit length.

    Source: He et al., Momentum contrast, CVPR 2020, arXiv 1911.05722, equation 1.
    """
    with torch.autocast(queries.device.type, enabled=False):
        queries, keys = F.normalize(queries.float(), dim=-1), F.normalize(keys.detach().float(), dim=-1)
        own = (queries * keys).sum(-1, keepdim=True)
        logits = torch.cat([own, queries @ queue.float().T], dim=1) / temperature
        return mean(
            F.cross_entropy(logits, logits.new_zeros(len(logits), dtype=torch.long), reduction="none")
        )


def matching_loss(rows: Tensor, partners: Tensor, *, temperature: float = 0.1) -> Tensor:
    """Each row attracts the partner at its own place and pushes the others away: ln N if all are alike.

    Args:
        rows: (..., N, D), any length; leading axes are independent problems.
        partners: (..., N, D).
    """
    with torch.autocast(rows.device.type, enabled=False):
        rows, partners = F.normalize(rows.float(), dim=-1), F.normalize(partners.float(), dim=-1)
        similarity = rows @ partners.transpose(-1, -2) / temperature  # (..., N, N)
    return mean(similarity.logsumexp(-1) - similarity.diagonal(dim1=-2, dim2=-1))


def distance_to(predictions: Tensor, targets: Tensor) -> Tensor:
    """Mean of 2 - 2 cos between rows (N, D); no gradient reaches the targets.

    Source: Grill et al., BYOL, NeurIPS 2020, arXiv 2006.07733, equation 2. Twice
    SimSiam's negative cosine, up to a constant.
    """
    with torch.autocast(predictions.device.type, enabled=False):
        return mean(2 - 2 * F.cosine_similarity(predictions.float(), targets.detach().float(), dim=-1))


def triplet_loss(anchors: Tensor, positives: Tensor, negatives: Tensor, *, temperature: float) -> Tensor:
    """softplus((cos(a, n) - cos(a, p)) / temperature), averaged over rows (B, D): ln 2 if all are alike.

    Source: docs/methods/polycl.md.
    """
    with torch.autocast(anchors.device.type, enabled=False):
        near = F.cosine_similarity(anchors.float(), positives.float(), dim=-1)
        far = F.cosine_similarity(anchors.float(), negatives.float(), dim=-1)
        return mean(F.softplus((far - near) / temperature))
