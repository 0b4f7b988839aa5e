"""The images of the last run, 2 × 2 with their seeds: a click shows that one in the viewer and hides its sisters."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import QButtonGroup, QGridLayout, QPushButton, QWidget

from medsynth_core.run import Made
from napari_medsynth.quality_mark import QualityMark

SIDE = 100


class Shown(Protocol):
    """What can be shown and hidden: a layer, or several as one."""

    visible: bool


class VariationStrip(QWidget):
    """Shows a thumbnail for each layer it is given. A layer that was removed from the viewer is let go."""

    def __init__(self, theme_name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme_name
        self._layers: list[Shown] = []
        self._captions: list[QualityMark] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._group = QButtonGroup(self)
        self._group.idClicked.connect(self._pick)
        self.hide()

    def clear(self) -> None:
        """Forget the last run."""
        self._layers = []
        for button in self._group.buttons():
            self._group.removeButton(button)
            button.deleteLater()
        for caption in self._captions:
            caption.deleteLater()
        self._captions = []
        self.hide()

    def add(self, made: Made, layer: Shown) -> None:
        """Show one more image of the run and make it the visible one."""
        index = len(self._layers)
        self._layers.append(layer)
        button = QPushButton(self)
        button.setCheckable(True)
        button.setIcon(QIcon(_thumbnail(made)))
        button.setIconSize(QSize(SIDE, SIDE))
        button.setToolTip("Show this image in the viewer")
        self._group.addButton(button, index)
        caption = QualityMark(self._theme, self)
        self._captions.append(caption)
        self._grid.addWidget(button, 2 * (index // 2), index % 2)
        self._grid.addWidget(caption, 2 * (index // 2) + 1, index % 2, Qt.AlignmentFlag.AlignHCenter)
        caption.show_recipe(made.recipe, f"seed {made.seed}")
        button.setChecked(True)
        self._pick(index)
        self.setVisible(len(self._layers) > 1)

    def set_theme(self, name: str) -> None:
        """Follow the viewer's theme."""
        self._theme = name
        for caption in self._captions:
            caption.set_theme(name)

    def _pick(self, index: int) -> None:
        for place, layer in enumerate(self._layers):
            layer.visible = place == index


def _thumbnail(made: Made) -> QPixmap:
    pixels = made.volume.array[:, made.volume.array.shape[1] // 2]
    step = max(1, max(pixels.shape[1:]) // (2 * SIDE))
    small = pixels[:, ::step, ::step].astype(np.float32)
    top = 255.0 if made.volume.array.dtype == np.uint8 else float(small.max()) or 1.0
    gray = np.clip(255 * small / top, 0, 255).astype(np.uint8)
    rgb = np.ascontiguousarray(np.moveaxis(gray if gray.shape[0] == 3 else np.repeat(gray[:1], 3, axis=0), 0, -1))
    image = QImage(rgb.tobytes(), rgb.shape[1], rgb.shape[0], 3 * rgb.shape[1], QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image).scaled(
        SIDE, SIDE, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
