"""Colors of structures: usual ones first, then far apart, for every kind of red-green vision."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from ContrastiveSegLib.dataset.dataset_json import read_dataset_file
from ContrastiveSegLib.imaging import colors
from ContrastiveSegLib.imaging.colors import colors_for, distinct_color, usual_color
from ContrastiveSegLib.imaging.labels import LabelTable
from ContrastiveSegLib.phantoms.phantom import phantom_table

TASKS = {
    "phantom": ["liver", "heart wall", "heart cavity", "kidneys", "pancreas"],
    "heart": ["left ventricle", "myocardium", "right ventricle"],
    "hippocampus": ["anterior", "posterior"],
    "liver with lesion": ["liver", "tumor"],
    "abdomen": [
        "spleen",
        "right kidney",
        "left kidney",
        "gallbladder",
        "esophagus",
        "liver",
        "stomach",
        "aorta",
    ],
}


def _smallest(found):
    """The smallest difference of two colors, as scikit-image computes it."""
    labs = rgb2lab(np.array(found, float)[:, None])[:, 0]
    return min(float(deltaE_ciede2000(a, b)) for a, b in combinations(labs, 2))


def _without(cones, found):
    """The colors as people see them who lack red or green cones.

    By the model of Viénot, Brettel and Mollon (1999), another one than the colors were chosen with.
    """
    rows = {
        "red": [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]],
        "green": [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]],
    }[cones]
    light = np.clip(colors.linear(np.array(found, float)) @ np.array(rows).T, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("task", TASKS)
def test_the_structures_of_a_task_are_told_apart_by_everybody(task):
    found = colors_for([(name, "") for name in TASKS[task]])

    assert _smallest(found) > 12
    assert _smallest(_without("red", found)) > 9
    assert _smallest(_without("green", found)) > 9


def test_liver_and_heart_wall_of_the_phantoms_differ_clearly():
    table = phantom_table()

    assert _smallest([s.color for s in table.structures if s.name in ("liver", "heart wall")]) > 30


def test_two_dozen_values_without_names_are_told_apart():
    found = [structure.color for structure in LabelTable.default_for(range(1, 25)).structures]

    assert _smallest(found[:8]) > 10
    assert _smallest(found) > 4
    assert all(0 <= part <= 1 for color in found for part in color)
    assert distinct_color(30_000) in [distinct_color(value) for value in range(1, 65)]


def test_a_known_structure_gets_the_color_of_slicers_terminology():
    entry = "Segmentation category and type~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~^^~~^^~^^"

    assert usual_color("Left kidneys") == (0.725, 0.4, 0.325)
    assert usual_color("segment 1", entry) == usual_color("LIVER") == (0.867, 0.51, 0.396)
    assert usual_color("gallbladder") == (0.545, 0.588, 0.384)
    assert usual_color("fatigue") is None
    assert colors_for([("aorta", ""), ("vena cava", "")]) == [
        usual_color("aorta"),
        usual_color("vein"),
    ]


def test_a_usual_color_that_is_taken_already_gives_way():
    taken = usual_color("liver")

    (wall,) = colors_for([("heart", "")], [taken])

    assert wall != usual_color("heart")
    assert _smallest([taken, wall]) > 30


def test_cielab_is_that_of_scikit_image():
    some = np.random.default_rng(0).random((50, 3))

    assert np.allclose(colors.lab(colors.linear(some)), rgb2lab(some[:, None])[:, 0], atol=0.02)


def test_the_structures_of_a_dataset_file_get_colors_by_name(tmp_path):
    path = tmp_path / "dataset.json"
    path.write_text(
        json.dumps({"labels": {"0": "background", "1": "liver", "2": "portal vein"}}), encoding="utf-8"
    )

    table = read_dataset_file(path).table

    assert [s.color for s in table.structures] == [usual_color("liver"), usual_color("vein")]


def test_many_structures_get_the_colors_of_a_slow_loop_without_its_work(monkeypatch):
    found: list = []
    for _ in range(40):
        found.append(colors.farthest_color(found))
    compared: list = []
    apart = colors._apart
    monkeypatch.setattr(colors, "_apart", lambda *both: compared.append(1) or apart(*both))

    assert colors_for([(f"s{n}", "") for n in range(40)]) == found
    assert len(compared) == 40
