"""What each class looked like in the last steps, and the contrast of pixels against it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ContrastiveSegLib.distributed.gathering import gathered, total

NOTHING = -1e4  # a similarity whose exponential is 0; infinity would make gradients that are no numbers


class ClassMemory(nn.Module):
    """The last mean features of every class, background included; part of the learner's state.

    A class counts as many rows as were pushed, so nothing is compared with rows that nobody has seen.

    Args:
        length: How many rows are kept per class.
    """

    rows: Tensor
    filled: Tensor
    oldest: Tensor

    def __init__(self, classes: int, length: int, width: int) -> None:
        super().__init__()
        self.register_buffer("rows", torch.zeros(classes, length, width))
        self.register_buffer("filled", torch.zeros(classes, dtype=torch.long))
        self.register_buffer("oldest", torch.zeros(classes, dtype=torch.long))

    @torch.no_grad()
    def push(self, features: Tensor, labels: Tensor) -> None:
        """Add, for each image of all processes and class it shows, the mean of its features, at unit length.

        Args:
            features: (B, N, D).
            labels: (B, N) class indices; others, such as IGNORE_LABEL, are left out.
        """
        classes, length, _ = self.rows.shape
        with torch.autocast(features.device.type, enabled=False):
            member = labels[:, None] == torch.arange(classes, device=labels.device)[:, None]  # (B, C, N)
            means = gathered(F.normalize(member.float() @ features.float(), dim=-1))  # (B, C, D)
        there = gathered(member.any(-1))
        there = there & (there.cumsum(0) <= length)
        rank = there.cumsum(0) - 1
        places = (self.oldest + rank) % length  # (B, C)
        image, index = there.nonzero(as_tuple=True)
        self.rows[index, places[image, index]] = means[image, index]
        count = there.sum(0)
        self.oldest.copy_((self.oldest + count) % length)
        self.filled.copy_((self.filled + count).clamp(max=length))


def memory_contrast(anchors: Tensor, labels: Tensor, memory: ClassMemory, *, temperature: float) -> Tensor:
    """Anchors attract the remembered rows of their class and are pushed away by those of all others.

    Anchors of a class with no row yet are left out; without any anchor the loss is 0.

    Args:
        anchors: (A, D), any length.
        labels: (A,) class indices.

    Source: PCLMix, arXiv 2405.06288, docs/strategies/pclmix.md: the mean over anchors, and over the
    positives p of each, of -log(e^(a.p/T) / (e^(a.p/T) + the sum over negatives n of e^(a.n/T))).
    """
    usable = memory.filled[labels] > 0
    anchors, labels = anchors[usable], labels[usable]
    count = total(usable.sum())
    if not len(anchors):
        return total(anchors.float().sum()) / count.clamp(min=1)  # 0 here, and still a part of the graph
    # What is pushed before the backward pass must not change the rows that this loss has seen.
    rows, counts = memory.rows.clone(), memory.filled.clone()
    _, length, _ = rows.shape
    with torch.autocast(anchors.device.type, enabled=False):
        similarity = torch.einsum("ad,cmd->acm", F.normalize(anchors.float(), dim=1), rows) / temperature
    valid = torch.arange(length, device=rows.device) < counts[:, None]  # (C, M)
    own = F.one_hot(labels, len(rows)).bool()[:, :, None]  # (A, C, 1)
    negatives = similarity.masked_fill(~valid | own, NOTHING).flatten(1).logsumexp(1)  # (A,)
    positives = similarity[torch.arange(len(labels), device=rows.device), labels]  # (A, M)
    each = torch.logaddexp(positives, negatives[:, None]) - positives
    return total(((each * valid[labels]).sum(1) / counts[labels]).sum()) / count
