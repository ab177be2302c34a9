"""Half of each batch is annotated, half is not, and the end may be annotated alone."""

from __future__ import annotations

import numpy as np
import torch

from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.training.batches import Chosen, Sampler
from ContrastiveSegLib.training.two_streams import TwoStreamSampler

PATCH = (16, 16)


def samplers(make_case) -> tuple[Sampler, Sampler]:
    others = [make_case(name).as_unannotated() for name in ("b", "c", "d")]
    return (
        Sampler([make_case("a")], PATCH, labeled=True, seed=0),
        Sampler(others, PATCH, labeled=True, seed=1, chosen=Chosen(unknown=True)),
    )


def test_the_second_half_comes_from_cases_without_annotation(make_case):
    batch = TwoStreamSampler(*samplers(make_case)).draw(3, 5)

    assert batch.unannotated.tolist() == [False, False, False, True, True]
    assert (batch.labels[:3] != IGNORE_LABEL).all()
    assert (batch.labels[3:] == IGNORE_LABEL).all()
    assert batch.images.shape == (5, 1, *PATCH)


def test_a_batch_depends_on_the_step_alone(make_case):
    first, again = (TwoStreamSampler(*samplers(make_case)).draw(7, 4) for _ in range(2))

    assert torch.equal(first.images, again.images)
    assert torch.equal(first.labels, again.labels)


def test_the_last_steps_see_annotated_cases_alone(make_case):
    sampler = TwoStreamSampler(*samplers(make_case), until=5)

    assert sampler.draw(4, 4).unannotated is not None
    last = sampler.draw(5, 4)
    assert last.unannotated is None
    assert len(last.images) == 4
    assert (last.labels != IGNORE_LABEL).all()


def test_the_first_steps_see_annotated_cases_alone(make_case):
    sampler = TwoStreamSampler(*samplers(make_case), since=5)

    assert sampler.draw(4, 4).unannotated is None
    assert len(sampler.draw(4, 4).images) == 4
    assert sampler.draw(5, 4).unannotated.tolist() == [False, False, True, True]


def test_an_unannotated_case_is_drawn_without_reading_its_labels(make_case):
    case = make_case("a").as_unannotated()

    sampler = Sampler([make_case("b"), case], PATCH, labeled=True, seed=0, chosen=Chosen(unknown=True))

    assert np.asarray(case.labels).strides == (0, 0, 0)  # one value in memory
    assert {c for c, _ in sampler.slices} == {0, 1}
    assert {c for places in sampler.present.values() for c, _ in places} == {0}
