"""What a round of self-training learns from."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from ContrastiveSegLib.finetuning import _rounds
from ContrastiveSegLib.finetuning._model import Cases
from ContrastiveSegLib.imaging.label_values import IGNORE_LABEL
from ContrastiveSegLib.runs.model_folder import ModelFolder
from ContrastiveSegLib.training.pseudo_labels import PseudoLabels


def test_further_annotations_of_a_scribbled_case_stay_as_they_are(make_case, tmp_path, monkeypatch):
    scribbled = replace(
        make_case("one"), labels=np.full((6, 40, 48), IGNORE_LABEL, np.int16), annotation="scribbles"
    )
    completed, further = make_case("one"), make_case("one")
    monkeypatch.setattr(_rounds, "complete", lambda *_: {0: completed})
    monkeypatch.setattr(_rounds, "first_sampler", lambda _task, _student, cases: cases.training)
    monkeypatch.setattr(_rounds, "with_scans", lambda _task, _student, annotated, others: (annotated, others))
    task = SimpleNamespace(model=ModelFolder(tmp_path), reporter=None)

    annotated, others = _rounds._taught_by(
        task, None, None, Cases([scribbled, further], []), PseudoLabels((), {}, {}), 1
    )

    assert annotated == [completed, further]
    assert others == []
