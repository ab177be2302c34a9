"""A thousand prepared cases are learned from under the limit of 256 open files that macOS sets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.file_io.files import write_image, write_labels
from ContrastiveSegLib.imaging.grid import WorkingGrid
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.preprocessing.array_store import array_file, store
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.prepared_cache import Recipe, prepare_cases
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.preprocessing.stored_array import count_classes, open_array
from ContrastiveSegLib.training import batches
from ContrastiveSegLib.training.batches import Chosen, Sampler

CHILD = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
import sys
from pathlib import Path
import torch
from ContrastiveSegLib.finetuning.supervised import Settings, Strategy
from ContrastiveSegLib.networks.backbone import build_network
from ContrastiveSegLib.training.batches import Sampler
from ContrastiveSegLib.session.device import Compute
from ContrastiveSegLib.training.loop import Training, train
from ContrastiveSegLib.training.schedule import Schedule
from ContrastiveSegLib.preprocessing.array_store import read_facts
from ContrastiveSegLib.preprocessing.prepared_case import PreparedCase
from ContrastiveSegLib.preprocessing.stored_array import open_array
from ContrastiveSegLib.imaging.volume import Geometry

folder, geometry = Path(sys.argv[1]), Geometry((32, 32, 2))
cases = []
for n in range(1000):
    facts = read_facts(folder / f"labels{n}")
    images = open_array(folder / f"images{n}.npy")
    labels = open_array(folder / f"labels{n}.npy", facts["classes_of_slices"])
    cases.append(PreparedCase(str(n), str(n), images, labels, geometry, geometry))

class Watch:
    def log_event(self, kind, **facts):
        if kind == "progress":
            print("step", facts["step"], facts["terms"])
    def warn(self, sentence, **facts):
        raise SystemExit(sentence)
    def cancelled(self):
        return False

network = build_network("unet", seed=0, base_channels=4, classes=3)
strategy = Strategy(network, (32, 32), Settings())
sampler = Sampler(cases, (32, 32), labeled=True, seed=0)
print(len(sampler), "slices")
for step in range(100):  # goes round through many more files than may be open
    sampler.draw(step, 16)
how = Training(
    Schedule(2, 4, 1e-3, "adamw_one_cycle", 2), Compute(torch.device("cpu"), "float32"), folder / "last", 0
)
train(strategy, list(strategy.parameters()), sampler, how, Watch())
"""


def test_a_thousand_cases_are_trained_on_with_256_open_files(tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="limits of open files are set on Linux and macOS")
    random = np.random.default_rng(0)
    for n in range(1000):
        labels = random.integers(0, 3, (2, 32, 32)).astype(np.int16)
        store(tmp_path / f"images{n}", random.random((1, 2, 32, 32)).astype(np.float16), {})
        store(tmp_path / f"labels{n}", labels, {"classes_of_slices": count_classes(labels)})

    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "2000 slices" in done.stdout
    assert "step 2" in done.stdout


def test_the_draws_from_disk_are_those_from_memory(tmp_path: Path, make_case) -> None:
    in_memory = [make_case(f"case{n}") for n in range(5)]
    in_memory[3].labels[2:4] = -1
    on_disk = []
    for case in in_memory:
        images, labels = tmp_path / f"{case.name}-images", tmp_path / f"{case.name}-labels"
        store(images, case.images, {})
        store(labels, case.labels, {})
        on_disk.append(
            PreparedCase(
                case.name,
                case.patient,
                open_array(array_file(images)),
                open_array(array_file(labels), count_classes(case.labels)),
                case.working,
                case.original,
            )
        )

    samplers = [
        Sampler(cases, (32, 32), labeled=True, seed=1, chosen=Chosen(unknown=True))
        for cases in (in_memory, on_disk)
    ]

    assert samplers[0].present == samplers[1].present
    np.testing.assert_array_equal(samplers[0].slices, samplers[1].slices)
    for step in range(5):
        one, other = (sampler.draw(step, 6) for sampler in samplers)
        assert (one.images == other.images).all()
        assert (one.labels == other.labels).all()


def test_where_structures_are_is_known_without_reading_prepared_labels(
    tmp_path: Path, a_volume, a_label_map, a_label_table: LabelTable, monkeypatch
) -> None:
    write_image(tmp_path / "images" / "a.nrrd", a_volume)
    write_labels(tmp_path / "labels" / "a.seg.nrrd", a_label_map, a_label_table)
    cases = find_cases(tmp_path).cases
    recipe = Recipe(WorkingGrid("axial", 1.0, 0.0, (32, 32)), Intensities(), a_label_table)
    (outcome,) = prepare_cases(cases, tmp_path / "prepared", recipe)
    (again,) = prepare_cases(cases, tmp_path / "prepared", recipe)
    labels = np.array(outcome.prepared.labels)
    monkeypatch.setattr(type(again.prepared.labels), "__getitem__", None)

    found = batches._where_structures_are([again.prepared])

    expected = {v: [(0, k) for k, plane in enumerate(labels) if (plane == v).any()] for v in (1, 2)}
    assert found == expected


def test_slices_that_wait_for_their_components_keep_no_file_open(tmp_path: Path, make_case) -> None:
    from ContrastiveSegLib.training.annotation_checks import maps_of_components

    case = make_case("case")
    store(tmp_path / "labels", case.labels, {})
    stored = open_array(tmp_path / "labels.npy")
    sparse = PreparedCase("a", "a", case.images, stored, case.working, case.original, annotation="slices")

    maps = [*maps_of_components([sparse])]

    assert len(maps) == len(case.labels)
    assert not any(isinstance(found.base, np.memmap) or isinstance(found, np.memmap) for found in maps)
