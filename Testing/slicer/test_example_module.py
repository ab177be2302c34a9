"""A module and its .ui file are loaded, clicked and reloaded as in Slicer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import slicer

MODULE = Path(__file__).parent / "ExampleModule" / "ExampleModule.py"


@pytest.fixture
def the_panel(a_panel):
    """The example's panel, opened."""
    return a_panel(MODULE)


@pytest.fixture
def an_image(a_slicer):
    """A volume with six bright voxels."""
    voxels = np.zeros((4, 5, 6), np.float32)
    voxels[1, 1, :] = 1
    return slicer.util.addVolumeFromArray(voxels, name="bright")


def test_panel_is_set_up_entered_and_found(the_panel):
    assert the_panel.entered == 1
    assert slicer.util.getModuleWidget("ExampleModule") is the_panel
    assert slicer.modules.ExampleModuleWidget is the_panel
    assert slicer.modules.examplemodule.title == "Example"
    assert slicer.util.getModuleLogic("ExampleModule") is the_panel.logic


def test_button_waits_for_an_image_and_counts(the_panel, an_image):
    assert not the_panel.ui.countButton.enabled

    the_panel.ui.imageSelector.setCurrentNode(an_image)
    the_panel.ui.countButton.click()

    assert the_panel.parameters.image is an_image
    assert the_panel.ui.resultLabel.text == "6"


def test_error_is_shown_and_raised_again(a_slicer, the_panel, an_image):
    slicer.util.updateVolumeFromArray(an_image, np.zeros((4, 5, 6), np.float32))
    the_panel.ui.imageSelector.setCurrentNode(an_image)

    the_panel.ui.countButton.click()

    assert a_slicer.dialogs.texts() == ["Failed to count.\n\nThe image is empty."]
    assert [type(error) for error in a_slicer.errors] == [ValueError]
    a_slicer.errors.clear()


def test_leaving_calls_exit_and_unloading_calls_cleanup(a_slicer, the_panel):
    slicer.util.selectModule("Data")
    assert the_panel.entered == 0

    a_slicer.restart()
    assert the_panel.cleaned
    assert not hasattr(slicer.modules, "examplemodule")


def test_unknown_module_is_ignored(the_panel):
    assert slicer.util.selectModule("NoSuchModule") is None
    assert slicer.util.selectedModule() == "ExampleModule"


def test_reload_makes_a_new_panel(the_panel):
    slicer.util.reloadScriptedModule("ExampleModule")

    renewed = slicer.util.getModuleWidget("ExampleModule")
    assert renewed is not the_panel
    assert the_panel.cleaned
    assert renewed.entered == 0


def test_timer_ticks_while_waiting(a_slicer, the_panel):
    the_panel.timer.start()

    a_slicer.wait_until(lambda: the_panel.ticks >= 3, timeout_s=5)

    with pytest.raises(AssertionError, match=r"Still waiting after 0\.05 s: never"):
        a_slicer.wait_until(lambda: False, timeout_s=0.05, what="never")


def test_modules_own_test_passes(the_panel):
    slicer.selfTests["ExampleModule"]()


def test_panel_can_be_photographed(a_slicer, the_panel, tmp_path):
    picture = a_slicer.photograph(the_panel.parent, tmp_path / "panel.png")

    assert (tmp_path / "panel.png").stat().st_size > 1000
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 5
