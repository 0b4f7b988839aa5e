"""A small mark beside a result: a dot in the color of its badge and a few words; pointed at, it says what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QWidget

from medsynth_core.quality_words import Sign, sign
from napari_medsynth import theme


class QualityMark(QWidget):
    """Shows nothing until it is given the recipe of a result."""

    def __init__(self, theme_name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme_name
        self._sign: Sign | None = None
        self._dot, self._words = QLabel(self), QLabel(self)
        self._words.setTextFormat(Qt.TextFormat.PlainText)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self._dot)
        row.addWidget(self._words)
        row.addStretch(1)
        self.hide()

    @property
    def sign(self) -> Sign | None:
        """What is shown."""
        return self._sign

    @property
    def text(self) -> str:
        """The words beside the dot."""
        return self._words.text()

    def show_recipe(self, recipe: Mapping[str, Any], words: str = "") -> None:
        """Show the badge in a recipe, beside these words or its own."""
        self._sign = sign(recipe)
        self._words.setText(words or f"Quality: {self._sign.word}")
        self.setToolTip(self._sign.tip)
        self.setAccessibleDescription(self._sign.tip)
        self._draw()
        self.show()

    def clear(self) -> None:
        """Show nothing."""
        self._sign = None
        self.setToolTip("")
        self.hide()

    def set_theme(self, name: str) -> None:
        """Follow the viewer's theme."""
        self._theme = name
        self._draw()

    def _draw(self) -> None:
        if self._sign is not None:
            self._dot.setPixmap(theme.dot(self._sign.lamp, self._theme).pixmap(QSize(12, 12)))
