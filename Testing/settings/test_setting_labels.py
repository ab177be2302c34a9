"""Every setting that a form shows has a name in the words of the field."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

import pytest

from ContrastiveSegLib.settings.job_settings import FinetuneSettings, PretrainSettings
from ContrastiveSegLib.settings.method_catalog import list_methods
from ContrastiveSegLib.settings.network_catalog import list_networks
from ContrastiveSegLib.settings.rules import Label, MethodOf, Rule, rule_of, rules_of
from ContrastiveSegLib.settings.schema import is_required

LONGEST = 36  # characters that fit a panel of 330 pixels
# Names of variables, and words of programmers.
RAW = {
    "lr",
    "dims",
    "aug",
    "het",
    "ctr",
    "aux",
    "asp",
    "lambda",
    "num",
    "flag",
    "flags",
    "logits",
    "ce",
    "ssl",
}
FORMS = {"pretraining": PretrainSettings, "finetuning": FinetuneSettings}


def _of_job(cls: type) -> Iterator[tuple[str, Rule]]:
    for field in dataclasses.fields(cls):
        rule = rules_of(cls)[field.name]
        if dataclasses.is_dataclass(rule.kind):
            yield from rules_of(rule.kind).items()
        elif rule.kind is not dict and not rule.marked(MethodOf) and not is_required(field):
            yield field.name, rule


def _forms() -> Iterator[tuple[str, list[tuple[str, Rule]]]]:
    """One form per method: its own settings and those of the job."""
    for entry in list_methods():
        own = [(field.name, rule_of(field.hint)) for field in entry.fields]
        yield f"{entry.kind}/{entry.name}", [*own, *_of_job(FORMS[entry.kind])]


@pytest.fixture(params=list(_forms()), ids=lambda form: form[0])
def a_form(request):
    """The settings of one method, as they stand together in the panel."""
    return [(name, rule) for name, rule in request.param[1] if name != "start"]  # the panel has its own menu


def test_every_setting_has_a_label_that_a_clinician_can_read(a_form):
    bad = []
    for name, rule in a_form:
        label = rule.marked(Label)
        words = set(re.split(r"[\W_]+", label.text.casefold())) if label else set()
        is_good = label and words and not words & RAW and "_" not in str(label) and len(str(label)) <= LONGEST
        bad += [] if is_good else [f"{name}: {label}"]

    assert bad == [], 'give each a Label("...") beside its Range'


def test_no_two_settings_of_a_form_share_a_label(a_form):
    labels = [str(rule.marked(Label)) for _, rule in a_form]

    assert sorted(labels) == sorted(set(labels))


def test_menus_have_words_for_each_value(a_form):
    for name, rule in a_form:
        label = rule.marked(Label)
        if rule.choices:
            assert len(label.choices) == len(rule.choices), name
            assert not any("_" in words for words in label.choices), name


def test_recommended_settings_carry_their_terms_and_units():
    rules = dict(_of_job(PretrainSettings))

    found = {
        name: str(rules[name].marked(Label))
        for name in ("lr", "patch", "base_channels", "spacing", "network")
    }

    assert found == {
        "lr": "learning rate", "patch": "patch size (voxels)", "base_channels": "base channels",
        "spacing": "in-plane spacing (mm)", "network": "network",
    }  # fmt: skip


def test_the_catalog_of_networks_reads_captions_without_torch(tmp_path):
    (tmp_path / "one.py").write_text(
        '"""One: a net.\n"""\nimport nothing\nclass Network(Backbone):\n    pass\n'
    )
    (tmp_path / "parts.py").write_text('"""Parts of nets."""\nclass Block:\n    pass\n')

    (entry,) = list_networks(tmp_path)

    assert (entry.name, entry.title) == ("one", "One")
    assert {entry.title for entry in list_networks()} >= {
        "U-Net of the papers",
        "Swin UNETR",
        "MONAI BasicUNet",
    }
