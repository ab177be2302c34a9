"""Off-screen render windows as arrays and Qt pictures."""

from __future__ import annotations

import numpy as np
from PySide6.QtGui import QImage
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkRenderingCore import vtkRenderWindow, vtkWindowToImageFilter


def picture_of(window: vtkRenderWindow) -> np.ndarray:
    """What the window shows as (rows, columns, RGB), the top row first."""
    window.Render()
    grabber = vtkWindowToImageFilter()
    grabber.SetInput(window)
    grabber.ReadFrontBufferOff()
    grabber.ShouldRerenderOff()
    grabber.Update()
    image = grabber.GetOutput()
    columns, rows, _ = image.GetDimensions()
    pixels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(rows, columns, -1)
    return np.ascontiguousarray(pixels[::-1, :, :3])


def as_qt_image(picture: np.ndarray) -> QImage:
    """The array as a picture that Qt can draw and save."""
    rows, columns, _ = picture.shape
    return QImage(picture.tobytes(), columns, rows, 3 * columns, QImage.Format.Format_RGB888).copy()


def as_array(image: QImage) -> np.ndarray:
    """A picture of Qt as (rows, columns, RGB)."""
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()
