"""The list of promptable models without torch says what their files say."""

from __future__ import annotations

from pathlib import Path

import pytest

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.settings.model_catalog import DEFAULT, list_models

FAMILY = '''"""Tiny: a model."""
from ContrastiveSegLib.sam._shared import LICENSE
CARD = Card(makes="masks", license=LICENSE, packages=("none",), known={}, how=HOW, source="me")
'''


def test_the_list_read_from_the_files_is_that_of_the_imported_families():
    catalog = pytest.importorskip("ContrastiveSegLib.sam.catalog")

    families = {family.name: family for family in catalog.list_families()}
    entries = {entry.name: entry for entry in list_models()}

    assert catalog.DEFAULT == DEFAULT
    assert set(entries) == set(families)
    for name, entry in entries.items():
        card = families[name].card
        assert (entry.caption, entry.makes) == (families[name].caption, card.makes)
        assert (entry.license, entry.how, entry.carried) == (card.license, card.how, card.carried)


def test_names_are_followed_into_the_neighbor_and_what_leads_nowhere_is_a_sentence(tmp_path: Path):
    folder = tmp_path / "sam"
    folder.mkdir()
    (folder / "_shared.py").write_text('LICENSE = "MIT"\n', encoding="utf-8")
    (folder / "no_family.py").write_text('"""None."""\n', encoding="utf-8")
    (folder / "tiny.py").write_text(FAMILY, encoding="utf-8")
    with pytest.raises(BadFile, match=r"The CARD of .*tiny\.py cannot be read \('HOW'\)"):
        list_models(folder)

    (folder / "tiny.py").write_text(FAMILY + 'HOW = "Ask " "me."\n', encoding="utf-8")
    (entry,) = list_models(folder)

    assert (entry.name, entry.title, entry.license, entry.how) == ("tiny", "Tiny", "MIT", "Ask me.")
    assert not entry.has_weights_here
