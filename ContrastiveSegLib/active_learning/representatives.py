"""Which few items stand for a whole collection: near to all, typical of large groups, or far from all."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.cluster.vq import kmeans2

Rows = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

NEIGHBORS = 20  # that typicality is measured with, and
MOST_GROUPS = 500  # both as in TypiClust
SMALLEST_GROUP = 5  # items on average
RESTARTS = 5
MOST_JUDGES = 2000  # items whose distances are looked at, so that large collections fit into memory
ROWS_AT_ONCE = 1024


@dataclass(frozen=True, eq=False)
class Collection:
    """What can be chosen from, and what has been.

    Args:
        features: (N, D), rows of length 1 at most.
        patients: Whose item it is; N names.
        covered: (N,) Whether it is annotated.
        urgency: (N,) 0...1, how unsure a first model is, or None without one.
    """

    features: Rows
    patients: Sequence[str]
    covered: npt.NDArray[np.bool_]
    urgency: Floats | None = None


@dataclass(frozen=True)
class Pick:
    """One item that was chosen.

    Args:
        score: 0...1, how much it is worth annotating.
        share: Part of the collection that it stands for, 0...1.
    """

    index: int
    score: float
    share: float


def choose(collection: Collection, count: int, *, strategy: str, seed: int) -> list[Pick]:
    """The `count` most useful items that are not covered, best first.

    Items of the patients with the fewest covered or chosen items come first, so that every patient is named
    once before one is named twice.

    Args:
        strategy: "coverage", "typicality" or "k_center".

    Raises:
        ValueError: Fewer items than `count` are not covered.
    """
    free = int((~collection.covered).sum())
    if free < count:
        raise ValueError(f"{count} of {free} items cannot be chosen")
    if strategy == "typicality":
        groups = _groups(collection, count, seed)
        typical = _typical(collection.features, groups)
        picks = _greedy(collection, count, lambda taken: _of_large_groups(groups, typical, taken))
        sizes = np.bincount(groups) / len(groups)
        return [replace(pick, share=float(sizes[groups[pick.index]])) for pick in picks]
    covering = strategy == "coverage"
    worth = _covering(collection, seed) if covering else partial(_far_from, collection.features)
    picks = _greedy(collection, count, worth)
    return _with_nearest_shares(collection, picks)


def nearest(features: Rows, others: Rows) -> tuple[Floats, Indices]:
    """Distance (N,) from each row to the nearest of the other rows, and which one (N,) that is."""
    blocks = [(block.min(1), block.argmin(1)) for block in _distances(features, others)]
    distances, indices = zip(*blocks, strict=True)
    return np.concatenate(distances), np.concatenate(indices)


def _greedy(collection: Collection, count: int, worth: Callable[[Indices], Floats]) -> list[Pick]:
    """One item after the other; `worth` says what each is worth once some are taken."""
    patients = np.array(collection.patients)
    uses = Counter(patients[collection.covered])
    taken, free, picks = np.flatnonzero(collection.covered), ~collection.covered, list[Pick]()
    for _ in range(count):
        score = worth(taken)
        if collection.urgency is not None:
            score = (score + collection.urgency) / 2
        used = np.array([uses[patient] for patient in patients])
        allowed = np.flatnonzero(free & (used == used[free].min()))
        index = int(allowed[np.argmax(score[allowed])])
        picks.append(Pick(index, float(score[index]), 0.0))
        taken, free[index] = np.append(taken, index), False
        uses[patients[index]] += 1
    return picks


def _covering(collection: Collection, seed: int) -> Callable[[Indices], Floats]:
    """Items that bring the others nearest to something taken: how much they lower the mean distance to it.

    An item that is far from all that is taken counts as if it were as far as from the average item. The worth
    of the best first item is 1.

    Source: greedy k-medoids, the facility location of Wei, Iyer and Bilmes, "Submodularity in data subset
    selection and active learning", ICML 2015.
    """
    features = collection.features
    sample = np.sort(np.random.default_rng(seed).permutation(len(features))[:MOST_JUDGES])
    distances = np.concatenate(list(_distances(features[sample], features))).astype(np.float32)  # (M, N)
    average = distances.mean(1, keepdims=True)

    def gain(taken: Indices) -> Floats:
        nearest_yet = np.minimum(average, distances[:, taken].min(1, keepdims=True, initial=np.inf))
        return np.asarray(np.maximum(nearest_yet - distances, 0).mean(0), np.float64)

    best = max(float(gain(np.flatnonzero(collection.covered)).max()), 1e-12)
    return lambda taken: gain(taken) / best


def _of_large_groups(groups: Indices, typical: Floats, taken: Indices) -> Floats:
    """Items of large groups of which nothing is taken, the most typical of each first.

    Source: TypiClust: Hacohen et al., "Active learning on a budget", ICML 2022, section 3. There the group
    with the fewest taken items comes first, however small; here its size is divided by the square of one more
    than its taken items, because one group of a few may hold nothing but odd images.
    """
    sizes = np.bincount(groups)
    weight = sizes / sizes.max() / (1 + np.bincount(groups[taken], minlength=len(sizes))) ** 2
    return np.asarray(weight[groups] * typical, np.float64)


def _far_from(features: Rows, taken: Indices) -> Floats:
    """Items far from all that is taken; the first of all is the one nearest to the mean.

    Source: greedy k-center: Sener and Savarese, "Active learning for convolutional neural networks: a
    core-set approach", ICLR 2018, algorithm 1.
    """
    if not len(taken):
        distance, _ = nearest(features, features.mean(0, keepdims=True))
        return np.asarray(distance.min() / np.maximum(distance, 1e-12), np.float64)
    return nearest(features, features[taken])[0] / 2  # two rows of length 1 are 2 apart at most


def _with_nearest_shares(collection: Collection, picks: list[Pick]) -> list[Pick]:
    """Every item counts for that chosen or covered one which is nearest to it."""
    taken = [*(pick.index for pick in picks), *np.flatnonzero(collection.covered)]
    _, owner = nearest(collection.features, collection.features[taken])
    shares = np.bincount(owner, minlength=len(taken)) / len(owner)
    return [replace(pick, share=float(share)) for pick, share in zip(picks, shares, strict=False)]


def _groups(collection: Collection, count: int, seed: int) -> Indices:
    """The group of each item: as many groups as covered and wanted items, by the best of a few k-means."""
    features = collection.features.astype(np.float64)
    largest = max(count, len(features) // SMALLEST_GROUP)
    number = min(
        int(collection.covered.sum()) + count, largest, MOST_GROUPS, len(np.unique(features, axis=0))
    )
    best, groups = np.inf, np.zeros(len(features), np.int64)
    for restart in range(RESTARTS):
        random = np.random.default_rng((seed, restart))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # an empty group is no group
            centers, found = kmeans2(features, number, minit="++", missing="warn", iter=50, seed=random)
        if (loss := float(((features - centers[found]) ** 2).sum())) < best:
            best, groups = loss, np.unique(found, return_inverse=True)[1].astype(np.int64)
    return groups


def _typical(features: Rows, groups: Indices) -> Floats:
    """How typical each item is of its group: 1 the most typical, down to 1 / size of the group.

    Typical is whose nearest neighbors in the group are near.
    """
    typical = np.ones(len(groups))
    for group in range(groups.max() + 1):
        members = np.flatnonzero(groups == group)
        own = features[members]
        near = min(NEIGHBORS, len(members) - 1)
        blocks = [np.sort(block, axis=1)[:, 1 : near + 1].sum(1) for block in _distances(own, own)]
        order = np.argsort(np.argsort(-np.concatenate(blocks), kind="stable"), kind="stable")
        typical[members] = (order + 1) / len(members)
    return typical


def _distances(features: Rows, others: Rows) -> Iterator[Floats]:
    """Distances (n, M) between rows, some rows at a time so that large collections fit into memory."""
    there = others.astype(np.float64)
    for start in range(0, len(features), ROWS_AT_ONCE):
        here = features[start : start + ROWS_AT_ONCE].astype(np.float64)
        squares = (here**2).sum(1)[:, None] + (there**2).sum(1) - 2 * here @ there.T
        yield np.sqrt(np.maximum(squares, 0))
