"""Views show what Slicer shows: organs where they are, in slices, in 3D and for oblique volumes."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import slicer

from ContrastiveSegLib.file_io.files import write_image, write_labels
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from Testing.orientations import OBLIQUE

GREEN = LabelTable((Structure(1, "liver", (0.0, 1.0, 0.0)),))


@pytest.fixture
def an_organ():
    """An image whose organ is a block in one corner, and its labels."""
    labels = np.zeros((16, 40, 48), np.int16)
    labels[4:12, 4:16, 6:22] = 1
    geometry = Geometry((48, 40, 16), (1.0, 1.25, 2.5), (-20.0, 12.0, 5.0))
    return Volume((100 + 50 * labels[None]).astype(np.float32), geometry), Volume(labels, geometry)


@pytest.fixture
def a_loaded_organ(a_slicer, an_organ, tmp_path):
    """The image and its segmentation, written by this project and loaded by Slicer."""
    image, labels = an_organ
    write_labels(tmp_path / "organ.seg.nrrd", labels, GREEN)
    write_image(tmp_path / "organ.nrrd", image)
    volume = slicer.util.loadVolume(str(tmp_path / "organ.nrrd"))
    segmentation = slicer.util.loadSegmentation(str(tmp_path / "organ.seg.nrrd"))
    return volume, segmentation


def greenish(picture):
    """Where the picture is green."""
    red, green, blue = (picture[..., channel].astype(int) for channel in range(3))
    return (green > red + 25) & (green > blue + 25)


def expected_overlay(view, segmentation, size):
    """Which pixels of a slice view lie in the segment, asked voxel by voxel."""
    volume = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    labels = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, "Segment_1", volume) > 0
    to_ras = slicer.util.arrayFromVTKMatrix(view.mrmlSliceNode().GetXYToRAS())
    to_ijk = slicer.util.vtkMatrixFromArray(np.eye(4))
    volume.GetRASToIJKMatrix(to_ijk)
    columns, rows = size
    x, y = np.meshgrid(np.arange(columns), np.arange(rows)[::-1])
    ras = to_ras @ np.stack([x.ravel(), y.ravel(), 0 * x.ravel(), 1 + 0 * x.ravel()])
    i, j, k = np.rint(slicer.util.arrayFromVTKMatrix(to_ijk) @ ras)[:3].astype(int)
    inside = np.all([(n >= 0) & (n < size) for n, size in zip((k, j, i), labels.shape, strict=True)], axis=0)
    shown = np.zeros(x.size, bool)
    shown[inside] = labels[k[inside], j[inside], i[inside]]
    return shown.reshape(rows, columns)


@pytest.mark.parametrize("name", ["Red", "Green", "Yellow"])
def test_overlay_lies_where_the_organ_is(a_slicer, a_loaded_organ, name, tmp_path):
    _volume, segmentation = a_loaded_organ
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, 7.0, -23.0, 22.5, 1)
    size = (240, 200)

    picture = a_slicer.render(name, size, tmp_path / "slice.png", fit=False)

    expected = expected_overlay(slicer.app.layoutManager().sliceWidget(name), segmentation, size)
    found = greenish(picture)
    assert expected.sum() > 500
    assert 2 * (found & expected).sum() / (found.sum() + expected.sum()) > 0.97
    assert (tmp_path / "slice.png").stat().st_size > 500


def test_hidden_segmentation_leaves_no_green(a_slicer, a_loaded_organ):
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, 7.0, -23.0, 22.5, 1)
    assert greenish(a_slicer.render("Red", fit=False)).any()

    a_loaded_organ[1].GetDisplayNode().SetVisibility(False)

    assert not greenish(a_slicer.render("Red", fit=False)).any()


def test_surface_is_shown_in_3d(a_slicer, a_loaded_organ):
    assert not greenish(a_slicer.render("3D")).any()

    a_loaded_organ[1].CreateClosedSurfaceRepresentation()
    slicer.util.resetThreeDViews()

    found = greenish(a_slicer.render("3D", (300, 300)))
    assert found.mean() > 0.02
    # Seen from the front, the patient's right is on the left.
    rows, columns = np.nonzero(found)
    assert abs(rows.mean() - 150) < 15
    assert 90 < columns.mean() < 130


def test_uncertainty_is_a_foreground_overlay(a_slicer, a_loaded_organ):
    volume, segmentation = a_loaded_organ
    segmentation.GetDisplayNode().SetVisibility(False)
    uncertain = np.zeros((16, 40, 48), np.float32)
    uncertain[:, 20:, :] = 1
    overlay = slicer.modules.volumes.logic().CloneVolume(slicer.mrmlScene, volume, "uncertainty")
    slicer.util.updateVolumeFromArray(overlay, uncertain)
    display = overlay.GetDisplayNode()
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGreen")
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(0, 1)
    display.SetThreshold(0.3, 1)
    display.ApplyThresholdOn()

    slicer.util.setSliceViewerLayers(foreground=overlay, foregroundOpacity=0.6)
    shown = greenish(a_slicer.render("Red"))
    slicer.util.setSliceViewerLayers(foreground=None)

    # Posterior is below.
    assert not shown[:190].any()
    assert shown[210:390, 100:300].all()
    assert not greenish(a_slicer.render("Red")).any()


@pytest.mark.parametrize("direction", [(1, 0, 0, 0, 1, 0, 0, 0, 1), OBLIQUE, (-1, 0, 0, 0, 1, 0, 0, 0, -1)])
def test_volumes_map_voxels_to_ras_as_simpleitk_does(a_slicer, tmp_path, direction):
    geometry = Geometry((7, 6, 5), (0.9, 1.1, 3.0), (4.0, -8.0, 100.0), direction)
    write_image(tmp_path / "v.nrrd", Volume(np.zeros((1, 5, 6, 7), np.float32), geometry))
    image = sitk.ReadImage(str(tmp_path / "v.nrrd"))

    matrix = slicer.util.vtkMatrixFromArray(np.eye(4))
    slicer.util.loadVolume(str(tmp_path / "v.nrrd")).GetIJKToRASMatrix(matrix)

    for voxel in ((0, 0, 0), (6, 0, 0), (0, 5, 0), (3, 2, 4)):
        right, anterior, superior, _ = matrix.MultiplyPoint([*map(float, voxel), 1.0])
        np.testing.assert_allclose(
            (-right, -anterior, superior), image.TransformIndexToPhysicalPoint(voxel), atol=1e-6
        )


def test_loaded_segmentation_has_names_colors_and_voxels(a_loaded_organ, an_organ):
    volume, segmentation = a_loaded_organ
    segment = segmentation.GetSegmentation().GetNthSegment(0)

    assert (segment.GetName(), segment.GetColor()) == ("liver", (0.0, 1.0, 0.0))
    identifier = segmentation.GetSegmentation().GetNthSegmentID(0)
    found = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, identifier, volume)
    np.testing.assert_array_equal(found, an_organ[1].array)


def test_loaded_nodes_stand_in_the_subject_hierarchy(a_loaded_organ):
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    volume, segmentation = map(tree.GetItemByDataNode, a_loaded_organ)
    assert volume
    assert segmentation

    tree.SetItemParent(segmentation, volume)

    assert tree.GetItemParent(segmentation) == volume


def test_missing_file_says_so(a_slicer):
    with pytest.raises(RuntimeError, match=r"File does not exist: /nowhere\.nrrd"):
        slicer.util.loadVolume("/nowhere.nrrd")


def test_segmentation_is_saved_and_read_again(a_loaded_organ, tmp_path):
    volume, segmentation = a_loaded_organ
    assert slicer.util.saveNode(segmentation, str(tmp_path / "again.seg.nrrd"))

    again = slicer.util.loadSegmentation(str(tmp_path / "again.seg.nrrd"))

    one, two = (
        slicer.util.arrayFromSegmentBinaryLabelmap(node, node.GetSegmentation().GetNthSegmentID(0), volume)
        for node in (segmentation, again)
    )
    np.testing.assert_array_equal(one, two)


def test_layout_says_which_views_there_are(a_slicer):
    manager = slicer.app.layoutManager()
    assert (manager.layout, manager.threeDViewCount, manager.plotViewCount) == (3, 1, 0)
    assert set(manager.sliceViewNames()) == {"Red", "Green", "Yellow"}

    changes = []
    manager.connect("layoutChanged(int)", changes.append)
    manager.layout = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpPlotTableView

    assert (manager.plotViewCount, manager.tableViewCount) == (1, 1)
    assert changes == [slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpPlotTableView]
    assert manager.plotWidget(5) is None


def test_main_window_shows_panel_and_views(a_slicer, a_loaded_organ, tmp_path):
    a_slicer.main_window.show()

    picture = a_slicer.photograph(slicer.util.mainWindow(), tmp_path / "window.png")

    assert greenish(picture).sum() > 1000
