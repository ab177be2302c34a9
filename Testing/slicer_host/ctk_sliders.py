"""Stand-ins for CTK's sliders."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QSlider, QWidget

from .declared import declared, forwarded, setter
from .pythonqt import stand_in

_STEPS = 10000


@stand_in
class ctkDoubleSlider(QWidget):
    """A slider for numbers with decimals."""

    valueChanged = Signal(float)
    sliderMoved = Signal(float)
    rangeChanged = Signal(float, float)

    def __init__(self, parent: QWidget | Qt.Orientation | None = None) -> None:
        super().__init__(parent if isinstance(parent, QWidget) else None)
        self._slider = QSlider(Qt.Orientation.Horizontal, self)
        self._slider.setRange(0, _STEPS)
        self._slider.sliderMoved.connect(self._slid)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._slider)

    value = declared(float, "value", 0.0)
    minimum = declared(float, "minimum", 0.0)
    maximum = declared(float, "maximum", 99.0)
    singleStep = declared(float, "singleStep", 1.0)
    pageStep = declared(float, "pageStep", 10.0)
    tracking = declared(bool, "tracking", True)
    setValue = setter("value")

    def _refresh(self, name: str) -> None:
        self._value = min(max(self.value, self.minimum), self.maximum)
        span = self.maximum - self.minimum
        self._slider.value = round(_STEPS * (self.value - self.minimum) / span) if span else 0
        if name == "value":
            self.valueChanged.emit(self.value)
        elif name in ("minimum", "maximum"):
            self.rangeChanged.emit(self.minimum, self.maximum)

    def _slid(self, position: int) -> None:
        self.value = self.minimum + (self.maximum - self.minimum) * position / _STEPS
        self.sliderMoved.emit(self.value)


@stand_in
class ctkSliderWidget(QWidget):
    """A slider with a spin box beside it."""

    valueChanged = Signal(float)
    valueIsChanging = Signal(float)
    decimalsChanged = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._spin = QDoubleSpinBox(self)
        self._slider = ctkDoubleSlider(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._slider, 1)
        row.addWidget(self._spin)
        self._spin.valueChanged.connect(self._spun)
        self._slider.sliderMoved.connect(self._spin.setValue)

    value = forwarded(float, "_spin", "value")
    minimum = forwarded(float, "_spin", "minimum")
    maximum = forwarded(float, "_spin", "maximum")
    singleStep = forwarded(float, "_spin", "singleStep")
    decimals = forwarded(int, "_spin", "decimals")
    prefix = forwarded(str, "_spin", "prefix")
    suffix = forwarded(str, "_spin", "suffix")
    pageStep = declared(float, "pageStep", 10.0)
    tracking = declared(bool, "tracking", True)
    spinBoxVisible = declared(bool, "spinBoxVisible", True)
    setValue = setter("value")
    setDecimals = setter("decimals")
    setSpinBoxVisible = setter("spinBoxVisible")

    def _refresh(self, _name: str) -> None:
        self._spin.visible = self.spinBoxVisible

    def _spun(self, value: float) -> None:
        self._slider.minimum, self._slider.maximum = self.minimum, self.maximum
        self._slider.value = value
        self.valueIsChanging.emit(value)
        self.valueChanged.emit(value)

    def reset(self) -> None:
        """Back to the lower end."""
        self.value = self.minimum
