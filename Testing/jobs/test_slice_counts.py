"""Passes over the data are counted in slices as they are cut, not along the last axis of the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from ContrastiveSegLib.dataset.cases import CaseList
from ContrastiveSegLib.finetuning._decisions import decide_finetuning
from ContrastiveSegLib.imaging.volume import Geometry
from ContrastiveSegLib.jobs import pretrain
from ContrastiveSegLib.settings.job_settings import FinetuneSettings, GridSettings, PretrainSettings
from ContrastiveSegLib.training.data import Found

GRID = GridSettings(patch=(32, 32))
RUN = Path("run")


@pytest.fixture
def sagittal_stacks() -> Found:
    """300 stacks of 20 thick sagittal slices of 160 x 160 pixels, stored with the last axis in plane."""
    return Found((), (Geometry((20, 160, 160), (8.0, 1.0, 1.0)),) * 300, CaseList((), (), ""))


def test_pretraining_counts_the_slices_it_draws(sagittal_stacks: Found, a_compute) -> None:
    settings = PretrainSettings(run=RUN, images=RUN, epochs=2, batch=4, grid=GRID)

    decided = pretrain._decide(settings, sagittal_stacks, a_compute)

    assert (decided["epoch"], decided["steps"]) == (300 * 20 // 4, 2 * 300 * 20 // 4)


def test_finetuning_counts_the_slices_it_draws(sagittal_stacks: Found, a_compute) -> None:
    settings = FinetuneSettings(run=RUN, labeled=RUN, start="none", batch=4, grid=GRID)

    decided = decide_finetuning(settings, sagittal_stacks, None, a_compute)

    assert (decided["epoch"], decided["steps"]) == (300 * 20 // 4, 20 * 300 * 20 // 4)
