"""LabelTable: numbers, names, colors."""

from __future__ import annotations

import json

import pytest

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.imaging.labels import LabelTable, Structure, free_value

RED, GREEN, BLUE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
LIVER = Structure(1, "liver", RED, "Segmentation category~SCT^85756007^Tissue")
SPLEEN = Structure(2, "Milz (Größe)", GREEN)


@pytest.fixture
def a_table() -> LabelTable:
    return LabelTable((LIVER, SPLEEN))


def test_table_lists_values_and_names_in_its_own_order():
    table = LabelTable((SPLEEN, LIVER))

    assert table.values == (2, 1)
    assert table.names == ("Milz (Größe)", "liver")
    assert table.by_value(1) is LIVER


def test_an_unknown_value_is_an_error_that_lists_the_known_ones(a_table):
    with pytest.raises(BadSetting, match=r"no value 7, only 1, 2\."):
        a_table.by_value(7)


def test_json_returns_the_same_table(a_table):
    assert LabelTable.from_json(json.loads(json.dumps(a_table.to_json()))) == a_table


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"structures": [{"value": 1, "name": "a"}]},
        {"structures": [{"value": "one", "name": "a", "color": [1, 0, 0]}]},
        {"structures": [{"value": 1, "name": "a", "color": [1, 0]}]},
        {"structures": [{"value": 1, "name": "a", "color": [255, 0, 0]}]},
        {"structures": 5},
    ],
)
def test_damaged_json_is_an_error_that_says_what_is_needed(data):
    with pytest.raises(BadSetting, match=r"cannot be understood: .* It needs 'structures'"):
        LabelTable.from_json(data)


@pytest.mark.parametrize("value", [0, -1, 2**31])
def test_values_outside_of_int32_or_background_are_refused(value):
    with pytest.raises(
        BadSetting, match=f"'liver' has the label value {value}, but values go from 1 to 2147483647"
    ):
        Structure(value, "liver", RED)


def test_a_structure_needs_a_name():
    with pytest.raises(BadSetting, match="label value 3 has no name"):
        Structure(3, "  ", RED)


def test_two_structures_cannot_share_a_value_or_a_name():
    with pytest.raises(BadSetting, match="share the label value '1'"):
        LabelTable((LIVER, Structure(1, "kidney", BLUE)))
    with pytest.raises(BadSetting, match="share the name 'liver'"):
        LabelTable((LIVER, Structure(5, " LIVER", BLUE)))


def test_merging_matches_names_and_gives_new_values_where_one_is_taken(a_table):
    other = LabelTable(
        (Structure(1, "kidney", BLUE), Structure(9, "Liver", GREEN), Structure(8, "tumor", BLUE))
    )

    merged = LabelTable.merged(a_table, other)

    assert merged.structures == (LIVER, SPLEEN, Structure(3, "kidney", BLUE), Structure(8, "tumor", BLUE))


def test_merging_equal_tables_changes_nothing(a_table):
    assert LabelTable.merged(a_table, a_table) == a_table
    assert LabelTable.merged() == LabelTable(())


def test_mapping_follows_the_names_and_leaves_out_what_the_other_lacks(a_table):
    other = LabelTable((Structure(7, "LIVER", BLUE), Structure(1, "kidney", BLUE)))

    assert a_table.mapping_to(other) == {1: 7}
    assert other.mapping_to(a_table) == {7: 1}


def test_every_structure_is_found_in_the_merged_table(a_table):
    other = LabelTable((Structure(2, "kidney", BLUE), Structure(1, "bladder", RED)))

    merged = LabelTable.merged(a_table, other)

    for table in (a_table, other):
        mapping = table.mapping_to(merged)
        for structure in table.structures:
            assert merged.by_value(mapping[structure.value]).name == structure.name


def test_default_names_carry_the_value_so_that_tables_of_two_files_agree():
    few, many = LabelTable.default_for([3, 1, 3]), LabelTable.default_for(range(1, 4))

    assert few.names == ("structure 1", "structure 3")
    assert few.mapping_to(many) == {1: 1, 3: 3}
    assert few.by_value(3).color == many.by_value(3).color


def test_a_free_value_is_kept_and_a_taken_one_replaced_by_the_smallest():
    assert free_value(5, {1, 2}) == 5
    assert free_value(2, {1, 2, 4}) == 3


def test_names_and_colors_break_no_table_and_no_json() -> None:
    structure = Structure(1, " liver\n\x00left\u2028lobe\ud800 ", (float("nan"), 0.0, 1.0), "a\tb")

    assert structure.name == "liver left lobe"
    assert structure.terminology == "a b"
    json.dumps(LabelTable((structure,)).to_json(), allow_nan=False).encode("utf-8")
