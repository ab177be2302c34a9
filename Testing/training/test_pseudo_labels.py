"""Predictions that teach: stored, taken up again, cleaned of outliers, and refused where they went wrong."""

from __future__ import annotations

import csv
import json
import math
from collections import namedtuple
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from ContrastiveSegLib.distributed.processes import Processes, met
from ContrastiveSegLib.errors import Cancelled, CannotWrite
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.training import pseudo_labels
from ContrastiveSegLib.training.pseudo_labels import (
    AGREEMENT,
    check_space,
    choose,
    predict_all,
    write_table,
)
from ContrastiveSegLib.training.teacher import Teacher

NAMES = ["liver", "spleen"]


class Witness:
    """Hears what is told, and cancels after so many cases."""

    def __init__(self, stop_after: int = 99) -> None:
        self.told: list[dict] = []
        self.stop_after = stop_after

    def log_event(self, kind: str, **facts) -> None:
        self.told.append({"kind": kind, **facts})

    def cancelled(self) -> bool:
        return len(self.told) >= self.stop_after


def by_brightness(images: Tensor) -> Tensor:
    """Scores of a network that finds three classes by their gray value, less certain far from it."""
    return torch.cat([-20 * (images - shade).square() for shade in (0.0, 0.5, 1.0)], 1)


@pytest.fixture
def a_teacher(a_compute) -> Teacher:
    return Teacher(by_brightness, (32, 32), a_compute, ((1,), (2,)), NAMES)


@pytest.fixture
def scans(make_case) -> list:
    """Ten scans of 6 x 40 x 48 that show both structures in their gray values."""
    return [a_scan(make_case, n) for n in range(10)]


def a_scan(make_case, n: int, *, low: int = 8, high: int = 24):
    images = np.random.default_rng(n).normal(0, 0.05, (1, 6, 40, 48))
    images[0, 1:5, low:high, low:high] += 0.5
    images[0, 2:4, 30:36, 30 : 36 + n % 2] += 1.0
    return make_case(f"scan{n}", images=np.clip(images, 0, 1)).as_unannotated()


def test_predictions_are_taken_up_where_they_were_interrupted(scans, a_teacher, tmp_path, monkeypatch):
    with pytest.raises(Cancelled, match="after 4 of 10 scans"):
        predict_all(scans, a_teacher, tmp_path / "part", Witness(stop_after=4))
    predict_all(scans, a_teacher, tmp_path / "whole", Witness())
    asked, predict = [], Teacher.predict
    monkeypatch.setattr(Teacher, "predict", lambda *those: asked.append(those[1].name) or predict(*those))
    predict_all(scans, a_teacher, tmp_path / "part", Witness())

    assert asked == [f"scan{n}" for n in range(4, 10)]
    for file in sorted((tmp_path / "whole").glob("*.npy")):
        assert np.array_equal(np.load(file), np.load(tmp_path / "part" / file.name))


def test_two_processes_share_the_scans_out(scans, a_teacher, tmp_path, monkeypatch):
    predict_all(scans, a_teacher, tmp_path / "whole", Witness())
    monkeypatch.setattr(pseudo_labels, "wait_for_all", lambda: None)  # nobody else is there
    asked, predict = [], Teacher.predict
    monkeypatch.setattr(Teacher, "predict", lambda *those: asked.append(those[1].name) or predict(*those))

    for rank in range(2):
        with met(Processes(rank, 2, None)):
            predict_all(scans, a_teacher, tmp_path / "shared", Witness())
        assert len(asked) == 5 * (rank + 1)

    assert sorted(asked) == sorted(case.name for case in scans)
    for file in sorted((tmp_path / "whole").glob("*.npy")):
        assert np.array_equal(np.load(file), np.load(tmp_path / "shared" / file.name))


def test_what_is_there_of_another_case_is_predicted_again(scans, a_teacher, tmp_path):
    predict_all(scans[:3], a_teacher, tmp_path, Witness())
    predict_all(scans[1:3], a_teacher, tmp_path, Witness())  # the first one could not be read this time

    facts = [json.loads((tmp_path / f"0000{n}.json").read_text("utf-8")) for n in range(3)]
    assert [one["case"] for one in facts] == ["scan1", "scan2", "scan2"]
    assert (np.load(tmp_path / "00001.npy") == np.load(tmp_path / "00002.npy")).all()


def test_of_what_is_predicted_the_least_certain_half_stays_unknown(scans, a_teacher, tmp_path):
    predict_all(scans, a_teacher, tmp_path, Witness())

    labels = choose(scans, tmp_path, a_teacher, unknown=0.5, annotated=[])
    everything = choose(scans, tmp_path, a_teacher, unknown=0.0, annotated=[])

    assert labels.trouble == ""
    assert labels.left_out == {}
    assert [case.name for case in labels.cases] == [case.name for case in scans]
    for name in NAMES:
        assert 0.5 <= labels.used_share[name] < 1  # levels of 1 are alike
        assert everything.used_share[name] == 1
    taught, whole = (np.concatenate([c.label_map for c in each.cases]) for each in (labels, everything))
    assert (taught == IGNORE_LABEL).any()
    assert (taught[taught != IGNORE_LABEL] == whole[taught != IGNORE_LABEL]).all()


def test_a_case_whose_structures_are_elsewhere_does_not_teach_and_is_named(make_case, a_teacher, tmp_path):
    scans = [a_scan(make_case, n) for n in range(9)] + [a_scan(make_case, 9, low=2, high=40)]
    predict_all(scans, a_teacher, tmp_path, Witness())

    labels = choose(scans, tmp_path, a_teacher, unknown=0.0, annotated=[])
    write_table(tmp_path / "table.csv", scans, labels)

    sizes = [np.load(tmp_path / f"{n:05d}.npy")[0] == 1 for n in range(10)]
    assert labels.used_share["liver"] == pytest.approx(
        sum(s.sum() for s in sizes[:9]) / sum(s.sum() for s in sizes)
    )
    assert list(labels.left_out) == ["scan9"]
    assert "volume of liver" in labels.left_out["scan9"]
    assert len(labels.cases) == 9
    rows = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert [row["teaches"] for row in rows] == ["yes"] * 9 + ["no"]
    assert rows[9]["reason"] == labels.left_out["scan9"]


def test_a_case_without_a_structure_that_all_others_show_does_not_teach(make_case, a_teacher, tmp_path):
    scans = [a_scan(make_case, n) for n in range(10)]
    empty = scans[3].images.copy()
    empty[:, :, 28:] = 0
    scans[3] = replace(scans[3], images=empty)
    predict_all(scans, a_teacher, tmp_path, Witness())

    labels = choose(scans, tmp_path, a_teacher, unknown=0.0, annotated=[])

    assert list(labels.left_out) == ["scan3"]
    assert "volume of spleen" in labels.left_out["scan3"]


def test_a_scan_that_cannot_be_predicted_costs_itself_alone(scans, a_teacher, tmp_path, monkeypatch):
    predict = Teacher.predict

    def fail_once(teacher: Teacher, case):
        if case.name == "scan4":
            raise ValueError("its array is gone")
        return predict(teacher, case)

    monkeypatch.setattr(Teacher, "predict", fail_once)
    predict_all(scans, a_teacher, tmp_path, Witness())

    labels = choose(scans, tmp_path, a_teacher, unknown=0.0, annotated=[])

    assert list(labels.left_out) == ["scan4"]
    assert "its array is gone" in labels.left_out["scan4"]
    assert len(labels.cases) == 9


def test_where_two_rounds_disagree_about_one_case_it_does_not_teach(scans, a_teacher, tmp_path):
    for folder in ("one", "two"):
        predict_all(scans, a_teacher, tmp_path / folder, Witness())
    other = np.load(tmp_path / "one" / "00005.npy")
    other[0] = np.roll(other[0], 12, 1)
    np.save(tmp_path / "one" / "00005.npy", other)

    labels = choose(scans, tmp_path / "two", a_teacher, unknown=0.0, annotated=[], before=tmp_path / "one")

    assert labels.left_out == {"scan5": f"Its prediction is unlike those of the other cases: {AGREEMENT}."}


def test_a_structure_that_vanished_is_trouble(scans, a_teacher, make_case, tmp_path):
    without = replace(
        a_teacher, network=lambda x: by_brightness(x) - torch.tensor([0, 0, 99.0]).view(1, 3, 1, 1)
    )
    predict_all(scans, without, tmp_path / "gone", Witness())
    predict_all(scans, a_teacher, tmp_path / "small", Witness())
    large = make_case("drawn", labels=np.full((6, 40, 48), 2, np.int16))

    gone = choose(scans, tmp_path / "gone", a_teacher, unknown=0.0, annotated=[])
    small = choose(scans, tmp_path / "small", a_teacher, unknown=0.0, annotated=[large])

    assert gone.trouble == small.trouble == '"spleen" has nearly vanished from the predictions'


def test_where_the_network_is_equally_certain_of_all_voxels_none_can_stay_unknown(scans, a_teacher, tmp_path):
    sure = replace(a_teacher, network=lambda x: 1e4 * by_brightness(x))
    predict_all(scans, sure, tmp_path, Witness())

    asked = choose(scans, tmp_path, sure, unknown=0.5, annotated=[])
    without = choose(scans, tmp_path, sure, unknown=0.0, annotated=[])

    assert (
        asked.trouble == 'the network is equally certain of every voxel of "liver", so none can be left out'
    )
    assert without.trouble == ""


def test_a_disk_that_is_too_small_is_said_before_the_work(scans, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(10**9, 10**9, 10_000)
    monkeypatch.setattr(pseudo_labels.shutil, "disk_usage", lambda _: usage)

    with pytest.raises(CannotWrite, match=r"predictions of 10 scans .* but only 0 MB are free"):
        check_space(scans, tmp_path)
    assert math.prod(scans[0].shape) * 10 * pseudo_labels.BYTES_PER_VOXEL > 10_000


def test_the_disk_must_hold_all_rounds_but_not_twice_what_is_there(scans, a_teacher, tmp_path, monkeypatch):
    once = math.prod(scans[0].shape) * 10 * 4
    usage = namedtuple("usage", "total used free")(10**9, 10**9, 2 * once - 100)
    monkeypatch.setattr(pseudo_labels.shutil, "disk_usage", lambda _: usage)

    check_space(scans, tmp_path)
    with pytest.raises(CannotWrite, match="need 1 MB more"):
        check_space(scans, tmp_path, rounds=2)
    predict_all(scans, a_teacher, tmp_path / "self_training" / "00" / "pseudo_labels", Witness())
    check_space(scans, tmp_path, rounds=2)
