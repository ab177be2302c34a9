"""What a method needs and the data lack is refused before training, with what works instead."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from ContrastiveSegLib.dataset.cases import Case
from ContrastiveSegLib.errors import BadFile, BadFolder, BadSetting
from ContrastiveSegLib.networks.backbone import check_sides, fitting_patch, pools_for
from ContrastiveSegLib.pretraining import macl, polycl, simclr, simtriplet, wcl
from ContrastiveSegLib.pretraining._needs import check_needs, check_shape, lacking

WITHOUT_POSITIONS = "byol, densecl, desd, dira, mae, moco, polycl, simclr, simsiam, supercl, swav, wcl"
WITHOUT_SCANS = (
    "byol, densecl, desd, dira, gcl, macl, mae, moco, pcl, simclr, simsiam, simtriplet, supercl, swav, wcl"
)
FOR_BLOCKS = "byol, densecl, desd, dira, gcl, macl, mae, moco, pcl, simclr, simsiam, supercl, swav, wcl"


@pytest.fixture
def some_data(tmp_path, make_case):
    """A maker of cases and prepared cases of so many slices, whose images lie in tmp_path / "images"."""

    def make(*slices):
        cases, prepared = [], []
        for n, count in enumerate(slices):
            cases.append(Case(f"case{n}", (tmp_path / "images" / f"case{n}.nrrd",)))
            prepared.append(make_case(f"case{n}", shape=(count, 16, 16)))
        return cases, prepared

    (tmp_path / "images").mkdir()
    return make


def write_table(path: Path, flags: dict[str, list[int]]) -> None:
    rows = [f"{name},{k},{flag}" for name, of_case in flags.items() for k, flag in enumerate(of_case)]
    path.write_text("\n".join(["case,slice,organ", *rows]), encoding="utf-8")


def test_single_slices_have_no_place_in_the_body(some_data):
    with pytest.raises(BadFolder) as refused:
        check_needs("pcl", ("slice positions",), *some_data(1, 1, 1), None)

    assert str(refused.value) == (
        "pcl cannot learn from these data. Every case is a single slice, so its place in the body is not "
        f"known. Methods that do without: {WITHOUT_POSITIONS}."
    )


def test_one_case_of_several_slices_is_enough_for_slice_positions(some_data):
    assert check_needs("pcl", ("slice positions",), *some_data(1, 2, 1), None) == {}


def test_one_scan_has_no_other_one_to_be_told_from(some_data):
    with pytest.raises(BadFolder) as refused:
        check_needs("polycl", ("scans",), *some_data(9), None)

    assert str(refused.value) == (
        "polycl cannot learn from these data. There is only one case, and no other one to tell it from. "
        f"Methods that do without: {WITHOUT_SCANS}."
    )


def test_two_scans_are_enough(some_data):
    assert check_needs("polycl", ("scans",), *some_data(9, 9), None) == {}


def test_without_slice_level_labels_the_remedies_are_named(some_data, tmp_path):
    (tmp_path / "images" / "case0.nrrd").touch()

    with pytest.raises(BadFolder) as refused:
        check_needs("polycl", ("slice labels",), *some_data(3, 3), None)

    message = str(refused.value)
    assert message.startswith(
        f"polycl cannot learn from these data. No case in {tmp_path} says which of its slices show the organ "
        "and which do not. Put a table slices.csv (case,slice,organ) beside the images, or name it, or a "
        "folder with labeled cases, with --slice-labels. PolyCL with --selection S needs no flags, but "
        "learns only what tells one scan from another."
    )
    assert message.endswith(
        f"Methods that do without: {', '.join(sorted([*WITHOUT_SCANS.split(', '), 'polycl']))}."
    )


@pytest.mark.parametrize("flag", [0, 1])
def test_flags_that_are_all_alike_tell_nothing(some_data, tmp_path, flag):
    write_table(tmp_path / "slices.csv", {"case0": [flag] * 3, "case1": [flag] * 3})

    with pytest.raises(BadFolder, match="says which of its slices show the organ and which do not"):
        check_needs("polycl", ("slice labels",), *some_data(3, 3), None)


def test_the_table_above_a_folder_called_images_is_found(some_data, tmp_path):
    write_table(tmp_path / "slices.csv", {"case0": [0, 1, 1]})

    flags = check_needs("polycl", ("slice labels",), *some_data(3, 3), None)

    assert {name: flag.tolist() for name, flag in flags.items()} == {"case0": [False, True, True]}


def test_the_table_that_the_settings_name_prevails(some_data, tmp_path):
    write_table(tmp_path / "slices.csv", {"case0": [0, 1, 1]})
    write_table(tmp_path / "other.csv", {"case1": [1, 0, 0]})

    flags = check_needs("polycl", ("slice labels",), *some_data(3, 3), tmp_path / "other.csv")

    assert {name: flag.tolist() for name, flag in flags.items()} == {"case1": [True, False, False]}


def test_images_in_a_folder_of_another_name_have_their_table_beside_them(some_data, tmp_path):
    (tmp_path / "scans").mkdir()
    cases, prepared = some_data(3)
    cases = [dataclasses.replace(case, images=(tmp_path / "scans" / "case0.nrrd",)) for case in cases]
    write_table(tmp_path / "scans" / "slices.csv", {"case0": [0, 1, 0]})

    flags = check_needs("polycl", ("slice labels",), cases, prepared, None)

    assert flags["case0"].tolist() == [False, True, False]


def test_a_table_with_a_slice_missing_is_refused(some_data, tmp_path):
    write_table(tmp_path / "slices.csv", {"case0": [0, 1]})

    with pytest.raises(BadFile, match="says nothing about slice 2 of case0, which has 3 slices"):
        check_needs("polycl", ("slice labels",), *some_data(3), None)


def test_methods_that_need_nothing_take_anything(some_data):
    assert check_needs("simclr", (), *some_data(1), None) == {}
    assert check_needs("supercl", ("regions",), *some_data(1), None) == {}


def test_a_remedy_stands_before_the_other_methods():
    error = lacking("gcl", "slice positions", "What happened.", "What to do.")

    assert (error.what, error.remedy) == (
        "gcl cannot learn from these data. What happened.",
        f"What to do. Methods that do without: {WITHOUT_POSITIONS}.",
    )


@pytest.mark.parametrize("file", [polycl, simtriplet])
def test_methods_for_slices_refuse_blocks(make_network, file):
    method = file.Method(make_network(spatial_dims=3), file.Settings())
    name = file.__name__.rpartition(".")[2]

    with pytest.raises(BadSetting) as refused:
        check_shape(name, method, (32, 64, 64), 16)

    assert str(refused.value) == (
        f"{name} is defined for slices only, not for blocks. Choose --spatial-dims 2, or one of the methods "
        f"for blocks: {FOR_BLOCKS}."
    )


@pytest.mark.parametrize(("file", "least"), [(simclr, 2), (wcl, 4)])
def test_a_batch_with_nothing_to_compare_with_is_refused(a_network, file, least):
    method = file.Method(a_network, file.Settings())
    name = file.__name__.rpartition(".")[2]

    with pytest.raises(BadSetting) as refused:
        check_shape(name, method, (64, 64), least - 1)

    assert str(refused.value) == (
        f"With {least - 1} images per step {name} has nothing to compare an image with. "
        f"Choose --batch {least} or more; 16 to 32 are usual."
    )
    check_shape(name, method, (64, 64), least)


@pytest.mark.parametrize(
    ("patch", "possible"), [((40, 64), "48 64"), ((64, 8), "64 16"), ((33, 65), "48 80")]
)
def test_a_patch_that_cannot_be_halved_is_refused_with_the_next_larger_one(a_network, patch, possible):
    with pytest.raises(BadSetting) as refused:
        check_sides(a_network, patch)

    assert str(refused.value) == (
        f"The patch is {patch[0]} x {patch[1]}, but this network and method need multiples of 16 x 16, at "
        f"least 16 x 16. Try --patch {possible}."
    )


@pytest.mark.parametrize(("blocks", "least"), [(0, 16), (1, 32), (2, 64), (3, 128), (4, 256)])
def test_macl_shrinks_the_patch_once_more_for_each_decoder_block(make_network, blocks, least):
    method = macl.Method(make_network(), macl.Settings(decoder_blocks=blocks))

    check_shape("macl", method, (least, 2 * least), 8)
    with pytest.raises(BadSetting) as refused:
        check_shape("macl", method, (least, least + 1), 8)

    assert f"need multiples of {least} x {least}, at least {least} x {least}." in refused.value.what
    assert refused.value.remedy == f"Try --patch {least} {2 * least}."


def test_a_network_that_needs_two_positions_says_so(make_network):
    """Instance norm has nothing to average over in a single position."""
    network = make_network("dynunet")

    with pytest.raises(BadSetting, match=r"need multiples of (\d+) x \1, at least (\d+) x \2") as refused:
        check_sides(network, (network.stride[0],) * 2)

    assert f"at least {2 * network.stride[0]} x" in refused.value.what
    check_sides(network, (2 * network.stride[0],) * 2)


def test_blocks_are_named_with_all_their_sides(make_network):
    network = make_network(spatial_dims=3, pools=pools_for((8, 64, 64)))

    with pytest.raises(BadSetting, match=r"The patch is 7 x 32 x 30, .* multiples of 2 x 16 x 16") as refused:
        check_sides(network, (7, 32, 30))

    assert refused.value.remedy == "Try --patch 8 32 32."


@pytest.mark.parametrize("training", [True, False])
def test_looking_at_the_network_leaves_it_as_it_was(make_network, training):
    method = macl.Method(make_network(), macl.Settings())
    before = {name: tensor.clone() for name, tensor in method.state_dict().items()}

    assert method.train(training).shrunk() == (4, 4)

    assert method.network.training == training
    assert all(np.array_equal(before[name], tensor) for name, tensor in method.state_dict().items())


def test_a_patch_that_fits_is_found(make_network):
    assert fitting_patch(make_network(), (33, 64)) == (48, 64)
    assert fitting_patch(make_network(), (33, 64), shrunk=(4, 4)) == (64, 64)
    assert fitting_patch(make_network("dynunet"), (16, 40)) == (32, 48)
