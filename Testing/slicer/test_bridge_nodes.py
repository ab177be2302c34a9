"""Volumes go into the scene and come back with every voxel in its place, in every orientation."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import vtk

from ContrastiveSegLib.errors import BadFile
from ContrastiveSegLib.file_io.files import write_image, write_labels
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.phantoms.phantom import make_phantom_case, phantom_table
from ContrastiveSegLib.slicer_bridge import annotating, nodes, predictions

GRIDS = {
    "straight": {},
    "oblique": {"tilt_deg": 17.0},
    "flipped": {"flipped": (True, False, True)},
    "anisotropic": {"spacing": (0.7, 1.3, 6.0), "tilt_deg": 5.0},
}


@pytest.fixture(params=GRIDS)
def a_case(request):
    """Image and labels of a phantom on each kind of grid."""
    return make_phantom_case(2, shape=(9, 22, 26), **{"spacing": None, **GRIDS[request.param]})


def test_a_voxel_is_where_simpleitk_says_with_left_and_posterior_turned_around(a_slicer, a_case):
    image, _labels = a_case
    (node,) = nodes.add_volume(image, "case")
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)

    for index in ((0, 0, 0), (25, 3, 8), (7, 21, 2)):
        left, posterior, superior = image.to_sitk().TransformIndexToPhysicalPoint(index)
        assert np.allclose(matrix.MultiplyPoint((*index, 1))[:3], (-left, -posterior, superior), atol=1e-6)
    back = nodes.volume_of(node)
    assert back.geometry.matches(image.geometry)
    assert np.array_equal(back.array, image.array)


def test_slicers_own_reader_agrees_with_ours(a_slicer, a_case, tmp_path):
    image, _labels = a_case
    write_image(tmp_path / "case.nrrd", image)

    loaded = slicer.util.loadVolume(str(tmp_path / "case.nrrd"))

    assert nodes.geometry_of(loaded).matches(image.geometry)
    assert np.array_equal(slicer.util.arrayFromVolume(loaded), image.array[0])


def test_a_predicted_file_arrives_voxel_by_voxel_with_names_and_colors(a_slicer, a_case, tmp_path):
    image, labels = a_case
    write_labels(tmp_path / "case.seg.nrrd", labels, phantom_table())
    (volume,) = nodes.add_volume(image, "case")
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    folder = tree.CreateFolderItem(tree.GetSceneItemID(), "patient")
    tree.SetItemParent(tree.GetItemByDataNode(volume), folder)

    node = predictions.show_prediction(tmp_path / "case.seg.nrrd", volume, "predicted")

    segments = node.GetSegmentation()
    for structure in phantom_table().structures:
        identity = segments.GetSegmentIdBySegmentName(structure.name)
        shown = slicer.util.arrayFromSegmentBinaryLabelmap(node, identity, volume)
        assert np.array_equal(shown > 0, labels.array == structure.value), structure.name
        assert np.allclose(segments.GetSegment(identity).GetColor(), structure.color, atol=1e-3)
    assert tree.GetItemParent(tree.GetItemByDataNode(node)) == folder
    assert node.GetSegmentation().ContainsRepresentation("Closed surface")
    per_voxel = np.prod(image.geometry.spacing) / 1000
    expected = {
        s.name: np.count_nonzero(labels.array == s.value) * per_voxel for s in phantom_table().structures
    }
    assert predictions.volumes_ml(node, volume) == pytest.approx(expected)


def test_channels_become_nodes_of_their_own(a_slicer):
    image, _labels = make_phantom_case(2, shape=(5, 16, 16), channels=2)

    made = nodes.add_volume(image, "case", case="case")

    assert [node.GetName() for node in made] == ["case", "case (channel 2)"]
    assert np.array_equal(slicer.util.arrayFromVolume(made[1]), image.array[1])


def test_a_sheared_volume_and_an_empty_one_are_sentences(a_slicer):
    image, _labels = make_phantom_case(2, shape=(5, 16, 16))
    (node,) = nodes.add_volume(image, "tilted gantry")
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    matrix.SetElement(1, 2, 1.5)
    node.SetIJKToRASMatrix(matrix)
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "nothing")

    with pytest.raises(BadFile, match=r"'tilted gantry' are not at right angles.*Resample"):
        nodes.volume_of(node)
    with pytest.raises(BadFile, match="'nothing' has no voxels"):
        nodes.volume_of(empty)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_slice_that_is_jumped_to_is_the_slice_that_is_shown(a_slicer, a_case, axis):
    image, _labels = a_case
    (volume,) = nodes.add_volume(image, "case")
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    place = [(n - 1) / 2 for n in image.geometry.size]
    place[axis] = 3

    nodes.jump_to(volume, tuple(place))

    assert nodes.shown_index(volume, axis) == 3


def test_the_annotation_of_a_case_is_reused_and_never_that_of_another(a_slicer):
    image, _labels = make_phantom_case(2, shape=(5, 16, 16))
    (one,) = nodes.add_volume(image, "one", case="one")
    (two,) = nodes.add_volume(image, "two", case="two")

    first = annotating.begin_annotation("one", one, phantom_table())

    assert annotating.begin_annotation("one", one, phantom_table()) is first
    assert annotating.begin_annotation("two", two, phantom_table()) is not first


def test_the_prediction_is_seen_where_the_organs_are(a_slicer, tmp_path):
    image, labels = make_phantom_case(3, shape=(24, 96, 96), tilt_deg=8.0)
    write_labels(tmp_path / "case.seg.nrrd", labels, phantom_table())
    (volume,) = nodes.add_volume(image, "case")
    slicer.util.setSliceViewerLayers(background=volume, fit=True, rotateToVolumePlane=True)
    without = a_slicer.render("Red", (400, 400)).astype(int)

    node = predictions.show_prediction(tmp_path / "case.seg.nrrd", volume, "predicted")
    node.GetDisplayNode().SetVisibility2DOutline(False)
    picture = a_slicer.render("Red", (400, 400)).astype(int)
    changed = np.abs(picture - without).max(-1) > 8

    expected = _labeled_pixels(labels, slicer.app.layoutManager().sliceWidget("Red"), changed.shape)
    assert 2 * (changed & expected).sum() / (changed.sum() + expected.sum()) > 0.95
    in_3d = a_slicer.render("3D", (300, 300)).astype(int)
    assert np.abs(in_3d - in_3d[0, 0]).max(-1).mean() > 5  # a body stands before the background


def _labeled_pixels(labels: Volume, widget, shape) -> np.ndarray:
    """Which pixels of a slice view show a labeled voxel, computed from the view's matrix alone."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    to_ras = slicer.util.arrayFromVTKMatrix(widget.mrmlSliceNode().GetXYToRAS())
    ras = np.stack([columns, shape[0] - 1 - rows, 0 * rows, 0 * rows + 1], -1) @ to_ras.T
    lps = ras[..., :3] * (-1, -1, 1)
    grid: sitk.Image = labels.to_sitk()
    direction = np.reshape(grid.GetDirection(), (3, 3))
    index = (lps - grid.GetOrigin()) @ direction / grid.GetSpacing()
    i, j, k = np.moveaxis(np.rint(index).astype(int), -1, 0)
    inside = (i >= 0) & (j >= 0) & (k >= 0)
    inside &= (i < grid.GetWidth()) & (j < grid.GetHeight()) & (k < grid.GetDepth())
    found = np.zeros(shape, bool)
    found[inside] = labels.array[k[inside], j[inside], i[inside]] > 0
    return found
