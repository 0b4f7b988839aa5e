"""Samples of a training from fixed seeds: the newest, or those of the step that a slider picks."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QMouseEvent, QPainter, QPaintEvent, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QSlider, QVBoxLayout, QWidget

LARGEST = 360
"""Height in pixels that a strip takes at most."""


class Picture(QWidget):
    """Draws a picture as wide as there is room; a click tells so."""

    clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pixmap = QPixmap()
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip("Click to open it in the viewer")

    def show_pixmap(self, pixmap: QPixmap) -> None:
        """Show another picture."""
        self.pixmap = pixmap
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Return the size at a usual width."""
        return QSize(280, self.heightForWidth(280))

    def heightForWidth(self, width: int) -> int:  # Qt's name
        """Return the height that keeps the picture's shape."""
        return min(LARGEST, round(width * self.pixmap.height() / max(1, self.pixmap.width())))

    def paintEvent(self, event: QPaintEvent | None) -> None:  # Qt's name
        """Draw the picture."""
        if not self.pixmap.isNull():
            scaled = self.pixmap.scaled(
                self.size(), Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            )
            QPainter(self).drawPixmap(0, 0, scaled)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:  # Qt's name
        """Tell of a click."""
        self.clicked.emit()


class StripView(QWidget):
    """Shows a strip and a slider over the steps that have one. `wanted` asks for a step's strip, `opened` shall open it."""

    wanted = Signal(int)
    opened = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._steps: tuple[int, ...] = ()
        self._pixmaps: dict[int, QPixmap] = {}
        self._contents: dict[int, bytes] = {}
        self._follows = True
        self.picture = Picture(self)
        self.slider = QSlider(Qt.Orientation.Horizontal, self)
        self.slider.setToolTip("Samples of which step; at the right end the newest")
        self.line = QLabel(self)
        below = QHBoxLayout()
        below.addWidget(self.slider, 1)
        below.addWidget(self.line)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.picture)
        column.addLayout(below)
        self.slider.valueChanged.connect(self._slid)
        self.picture.clicked.connect(lambda: self.opened.emit(self.step))
        self.hide()

    @property
    def step(self) -> int:
        """The step whose samples are shown, 0 for none."""
        return self._steps[self.slider.value()] if self._steps else 0

    def content(self, step: int) -> bytes:
        """Return the strip of a step as PNG, empty while it has not come."""
        return self._contents.get(step, b"")

    def clear(self) -> None:
        """Show nothing: another training is looked at."""
        self._steps, self._pixmaps, self._contents, self._follows = (), {}, {}, True
        self.hide()

    def show_steps(self, steps: tuple[int, ...]) -> None:
        """Offer the strips there are; the newest is followed until the slider is moved away from it."""
        if steps == self._steps:
            return
        place = self.slider.value()
        self.slider.blockSignals(True)
        self._steps = steps
        self.slider.setRange(0, max(0, len(steps) - 1))
        self.slider.setValue(len(steps) - 1 if self._follows else min(place, len(steps) - 1))
        self.slider.blockSignals(False)
        self.slider.setVisible(len(steps) > 1)
        self.setVisible(bool(steps))
        self._show()

    def show_strip(self, step: int, content: bytes) -> None:
        """Take the strip of a step, as PNG."""
        pixmap = QPixmap()
        if pixmap.loadFromData(content):
            self._pixmaps[step], self._contents[step] = pixmap, content
            self._show()

    def _slid(self, place: int) -> None:
        self._follows = place == len(self._steps) - 1
        self._show()

    def _show(self) -> None:
        step = self.step
        if not step:
            return
        self.line.setText(f"step {step}")
        if step in self._pixmaps:
            self.picture.show_pixmap(self._pixmaps[step])
        else:
            self.wanted.emit(step)
