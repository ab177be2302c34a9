"""Learning from what was annotated alone: which slices are drawn, what is judged, what is said before."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ContrastiveSegLib.dataset.annotations import Annotation
from ContrastiveSegLib.dataset.cases import Case
from ContrastiveSegLib.errors import BadFolder
from ContrastiveSegLib.finetuning.supervised import Settings, Strategy
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.inference.predictor import Predictor
from ContrastiveSegLib.postprocessing.connected_components import single_components
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.prepared_cache import Outcome, Recipe, prepare_cases
from ContrastiveSegLib.training.annotation_checks import check_annotations, maps_of_components
from ContrastiveSegLib.training.batches import Chosen, Sampler
from ContrastiveSegLib.training.validation import Validation


@pytest.fixture
def a_sparse_case(make_case):
    """Known in the slices 1 and 4 alone."""
    case = make_case()
    labels = np.full_like(case.labels, IGNORE_LABEL)
    labels[[1, 4]] = case.labels[[1, 4]]
    return replace(case, labels=labels, annotation="slices")


@pytest.fixture
def a_scribbled_case(make_case):
    """One stroke of each class in slice 2."""
    labels = np.full((6, 40, 48), IGNORE_LABEL, np.int16)
    labels[2, 4, 4:44], labels[2, 20, 10:30], labels[2, 30, 30:40] = 0, 1, 2
    return replace(make_case(labels=labels), annotation="scribbles")


def test_only_slices_with_known_voxels_are_drawn(a_sparse_case, make_case):
    sampler = Sampler([a_sparse_case, make_case("case2")], (32, 32), labeled=True, seed=0)

    drawn = [sampler.draw(step, 8) for step in range(20)]

    assert len(sampler) == 2 + 6
    assert all((batch.labels != IGNORE_LABEL).all() for batch in drawn)


def test_slices_without_known_voxels_are_drawn_for_those_who_ask(a_sparse_case):
    sampler = Sampler([a_sparse_case], (32, 32), labeled=True, seed=0, chosen=Chosen(unknown=True))

    drawn = torch.cat([sampler.draw(step, 8).labels for step in range(5)])

    assert len(sampler) == 2 * 2 + 4  # the two known ones as often as the four others
    is_unknown = (drawn == IGNORE_LABEL).flatten(1).all(1)
    assert not is_unknown[0::2].any()  # around a structure
    assert is_unknown[1::2].float().mean() == 0.5


def test_slices_of_favored_cases_are_drawn_more_often(make_case):
    cases = [replace(make_case("person"), weight=3), make_case("program")]
    sampler = Sampler(cases, (32, 32), labeled=True, seed=0)

    drawn = torch.cat([sampler.draw(step, 8).cases for step in range(60)])

    assert len(sampler) == 3 * 6 + 6
    for every_second in (drawn[0::2], drawn[1::2]):  # around a structure, and anywhere
        assert (every_second == 0).float().mean().item() == pytest.approx(0.75, abs=0.07)


def test_blocks_show_a_known_slice_and_leave_the_others_unknown(a_sparse_case):
    sampler = Sampler([a_sparse_case], (4, 32, 32), labeled=True, seed=0)

    for step in range(10):
        known = (sampler.draw(step, 4).labels != IGNORE_LABEL).flatten(2)
        assert known.any((1, 2)).all()
        assert (known.all(2) | ~known.any(2)).all()


def test_beyond_a_scribbled_image_nothing_is_known(a_scribbled_case, make_case):
    sampler = Sampler([a_scribbled_case, make_case("case2")], (64, 64), labeled=True, seed=0)

    batch = sampler.draw(0, 8)

    corners = batch.labels[:, 0, 0]
    assert {c.item() for c in batch.cases} == {0, 1}
    assert torch.equal(corners == IGNORE_LABEL, batch.cases == 0)
    assert torch.equal(corners == 0, batch.cases == 1)


@pytest.mark.parametrize("patch", [(32, 32), (4, 32, 32)])
def test_what_is_drawn_in_slices_that_do_not_count_changes_no_gradient(
    tmp_path, a_volume, a_label_map, a_label_table, make_network, patch
):
    """From files to gradients: three annotated slices, the others empty or full of wrong labels."""
    from ContrastiveSegLib.file_io.files import write_image, write_labels
    from ContrastiveSegLib.imaging.grid import WorkingGrid

    def gradients(name: str, elsewhere: int) -> list[torch.Tensor]:
        folder = tmp_path / name
        folder.mkdir()
        drawn = a_label_map.array.copy()
        drawn[[0, 1, 3, 5, 7, 8]] = elsewhere
        write_image(folder / "case.nrrd", a_volume)
        write_labels(folder / "case.seg.nrrd", replace(a_label_map, array=drawn), a_label_table)
        case = Case("case", (folder / "case.nrrd",), folder / "case.seg.nrrd", patient="case")
        grid = WorkingGrid("axial", 1.0, 2.5 if len(patch) == 3 else 0.0, patch)
        recipe = Recipe(grid, Intensities(), a_label_table, slices={"case": (2, 4, 6)})
        (outcome,) = prepare_cases([case], folder / "prepared", recipe)
        network = make_network(spatial_dims=len(patch), pools=((1,) * (len(patch) - 2) + (2, 2),) * 4)
        strategy = Strategy(network, patch, Settings())
        sampler = Sampler([outcome.prepared], patch, labeled=True, seed=0, margin=strategy.margin)
        terms = strategy.loss_terms(sampler.draw(0, 4), torch.Generator().manual_seed(0))
        terms["dice_ce"].backward()
        return [parameter.grad for parameter in network.parameters()]

    empty, wrong = gradients("empty", 0), gradients("wrong", 2)

    assert any(gradient.abs().sum() > 0 for gradient in empty)
    assert all(torch.equal(e, w) for e, w in zip(empty, wrong, strict=True))


def test_validation_judges_known_voxels_alone(
    a_sparse_case, a_compute, a_label_table, tmp_path, make_network
):
    def dice(labels: np.ndarray) -> dict[str, float]:
        told = []
        judge = Validation(
            Predictor(make_network(), (32, 48), a_compute),
            [replace(a_sparse_case, labels=labels)],
            table=a_label_table,
            path=tmp_path / "metrics.csv",
            log_event=lambda _, **facts: told.append(facts["dice"]),
        )
        judge.score(1)
        return told[0]

    cut = np.array(a_sparse_case.labels)
    whole = np.where(cut == IGNORE_LABEL, 0, cut)

    sparse = dice(cut)
    winners = _winners(make_network().eval(), a_sparse_case, a_compute)
    known = cut != IGNORE_LABEL
    by_hand = {}
    for index, name in enumerate(a_label_table.names, start=1):
        found, true = (winners == index) & known, cut == index
        by_hand[name] = 2 * (found & true).sum() / (found.sum() + true.sum())
    assert sparse == pytest.approx(by_hand)
    assert sparse != pytest.approx(dice(whole))


def _winners(network, case, compute):
    from ContrastiveSegLib.inference.sliding_window import predict_probabilities

    return predict_probabilities(network, case.images, (32, 48), compute.device).argmax(0)


def test_components_are_counted_in_whole_cases_and_slice_by_slice(make_case, a_sparse_case, a_scribbled_case):
    maps = list(maps_of_components([make_case(), a_sparse_case, a_scribbled_case]))

    assert [m.shape[0] for m in maps] == [6, 1, 1]
    assert {1, 2} <= {value for group in single_components(maps, (1, 2)) for value in group}


class Listens:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []

    def info(self, sentence: str) -> None:
        self.said.append(sentence)

    def warn_all(self, sentences: list[str]) -> None:
        self.warned += sentences


def annotated(make_case, kind: str, slices: int, classes: tuple[int, ...]) -> Outcome:
    case = Case("case1", (Path("case1.nrrd"),))
    return Outcome(case, make_case(), annotation=Annotation(kind, slices, 30, 0.1, classes))


def checked(outcomes, table, *, made_for=("cases", "slices"), outside_is_background=False) -> Listens:
    reporter = Listens()
    check_annotations(
        outcomes, table, 8, reporter, made_for=made_for, outside_is_background=outside_is_background
    )
    return reporter


def test_what_is_annotated_is_said(make_case, a_label_table):
    outcomes = [annotated(make_case, "cases", 30, (0, 1, 2)), annotated(make_case, "slices", 3, (0, 1))]

    heard = checked(outcomes, a_label_table)

    assert heard.said == ["Annotated: 1 whole cases, 1 cases with annotated slices; 33 slices in all."]
    assert heard.warned == []


@pytest.mark.parametrize(
    ("kind", "slices", "classes", "sentence"),
    [
        ("cases", 30, (0, 1), r'"spleen" is not annotated anywhere: it cannot be learned\. Draw it'),
        ("scribbles", 30, (1, 2), r'"background" is not annotated anywhere: paint some as a segment'),
        ("scribbles", 30, (0, 1, 2), r"Scribbles were found, .* Choose --strategy pclmix or partial_ce"),
        ("slices", 3, (0, 1, 2), r"Only 3 slices are annotated, fewer than the 8 .* choose --batch 3"),
    ],
)
def test_what_will_learn_badly_is_said_before(make_case, a_label_table, kind, slices, classes, sentence):
    heard = checked([annotated(make_case, kind, slices, classes)], a_label_table)

    assert any(re.search(sentence, warning) for warning in heard.warned), heard.warned


def test_one_class_alone_is_refused(make_case, a_label_table):
    with pytest.raises(BadFolder, match=r'Only "liver" is annotated.*Draw the other structures too'):
        checked([annotated(make_case, "scribbles", 5, (1,))], a_label_table)


@pytest.mark.parametrize(("kind", "warned"), [("cases", True), ("scribbles", False)])
def test_outlines_without_scribbles_are_said_to_change_nothing(make_case, a_label_table, kind, warned):
    outcomes = [annotated(make_case, kind, 30, (0, 1, 2))]

    heard = checked(outcomes, a_label_table, made_for=(kind,), outside_is_background=True)

    assert ("--outside-is-background changes nothing: no case has scribbles." in heard.warned) == warned
