"""What a network learned from decides how later images are scaled; a mixture is remarked on."""

from __future__ import annotations

from pathlib import Path

import pytest

from ContrastiveSegLib.dataset.cases import Case
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.prepared_cache import Outcome
from ContrastiveSegLib.runs.events import read_new
from ContrastiveSegLib.runs.run_folder import ModelFolder
from ContrastiveSegLib.session.reporter import Reporter
from ContrastiveSegLib.training.modality import keep_modality, modality_learned


@pytest.fixture
def outcomes_of(a_labeled_case):
    def make(*modalities: str) -> list[Outcome]:
        return [
            Outcome(Case(f"case{n}", (Path("x"),)), a_labeled_case, modality)
            for n, modality in enumerate(modalities)
        ]

    return make


@pytest.mark.parametrize("kind", ["ct", "other"])
def test_one_kind_is_kept(outcomes_of, a_run_folder, kind):
    kept = keep_modality(Intensities(), outcomes_of(kind, kind), Reporter(a_run_folder, "finetune"))

    assert kept == Intensities(kind)


def test_a_mixture_is_scaled_case_by_case_and_remarked_on(outcomes_of, a_run_folder):
    kept = keep_modality(Intensities(), outcomes_of("ct", "other", "ct"), Reporter(a_run_folder, "finetune"))

    assert kept == Intensities()
    (warning,) = [event for event in read_new(a_run_folder.events)[0] if event["kind"] == "warning"]
    assert "2 (case0, case2) like CT; 1 (case1) like other images" in warning["text"]
    assert "--modality ct" in warning["text"]


@pytest.mark.parametrize("asked", [Intensities("other"), Intensities("auto", (0.0, 80.0))])
def test_what_the_user_said_stays(outcomes_of, a_run_folder, asked):
    assert keep_modality(asked, outcomes_of("ct"), Reporter(a_run_folder, "finetune")) == asked


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("a,train,ct\nb,validation,ct\n,left out,\n", "ct"),
        ("a,train,other\n", "other"),
        ("a,train,ct\nb,train,other\n", "auto"),
        ("", "auto"),
    ],
)
def test_a_model_of_before_is_understood_by_its_cases(a_run_folder, rows, expected):
    (a_run_folder.path / "cases.csv").write_text(f"case,role,modality\n{rows}", encoding="utf-8")
    model = ModelFolder(a_run_folder.finetune(1))

    assert modality_learned(Intensities(), a_run_folder, model) == Intensities(expected)


def test_a_round_is_understood_by_its_own_cases(a_run_folder):
    model = ModelFolder(a_run_folder.finetune(2))
    model.path.mkdir(parents=True)
    model.cases.write_text("case,role,modality\na,train,ct\nb,train,other\n", encoding="utf-8")
    (a_run_folder.path / "cases.csv").write_text("case,role,modality\na,train,ct\n", encoding="utf-8")

    assert modality_learned(Intensities(), a_run_folder, model) == Intensities()


def test_a_model_without_its_cases_is_no_error(a_run_folder):
    model = ModelFolder(a_run_folder.finetune(1))

    assert modality_learned(Intensities(), a_run_folder, model) == Intensities()
