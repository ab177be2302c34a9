"""A contact sheet shows every slice it was given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ContrastiveSegLib.pictures.contact_sheet import MOST, Shown, draw_contact_sheet

WHITE = np.ones((20, 30), np.float32)


def shown(count: int) -> list[Shown]:
    return [Shown(WHITE, 1.0, f"slice {n}", "case") for n in range(count)]


def white_parts(path: Path) -> int:
    """How many separate white areas as large as an image are in the picture."""
    gray = sitk.GetArrayFromImage(sitk.ReadImage(path))[..., :3].min(-1)
    areas = sitk.RelabelComponent(
        sitk.ConnectedComponent(sitk.GetImageFromArray((gray > 250).astype(np.uint8)))
    )
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.Execute(areas)
    return sum(statistics.GetNumberOfPixels(label) > 2000 for label in statistics.GetLabels())


def test_every_slice_of_every_group_is_there(tmp_path):
    draw_contact_sheet(tmp_path / "sheet.png", [("cases", shown(2)), ("none", []), ("slices", shown(7))])

    assert white_parts(tmp_path / "sheet.png") == 9


def test_a_long_group_is_cut(tmp_path):
    draw_contact_sheet(tmp_path / "sheet.png", [("slices", shown(MOST + 5))])

    assert white_parts(tmp_path / "sheet.png") == MOST


def test_a_pixel_keeps_its_shape(tmp_path):
    tall = Shown(WHITE, 3.0, "slice", "case")

    draw_contact_sheet(tmp_path / "sheet.png", [("slices", [tall])])

    gray = sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / "sheet.png"))[..., :3].min(-1) > 250
    rows, columns = gray.mean(1) > 0.2, gray.mean(0) > 0.2
    assert abs(rows.sum() / columns.sum() - 3 * 20 / 30) < 0.2
