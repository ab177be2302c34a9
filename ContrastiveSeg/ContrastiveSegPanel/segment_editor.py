"""Hand a segmentation to Slicer's own Segment Editor."""

import slicer


def open_(segmentation, volume) -> None:
    """Switch to the Segment Editor with this segmentation, its volume, its first segment and the brush."""
    editor = slicer.util.getModuleWidget("SegmentEditor").editor
    # Before the module is entered: without a segmentation it takes the first one of the scene, or makes one.
    # Both: the editor finds the volume by itself only where the segmentation has a reference geometry.
    editor.setSegmentationNode(segmentation)
    editor.setSourceVolumeNode(volume)
    slicer.util.selectModule("SegmentEditor")
    identities = segmentation.GetSegmentation().GetSegmentIDs()
    if identities:
        editor.setCurrentSegmentID(identities[0])
        editor.setActiveEffectByName("Paint")
