"""A data set in numbers, as the doctor counted it: a few lines, each with what it is about."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_medsynth import theme


class FactsView(QWidget):
    """Shows lines by their names; hidden when there are none."""

    def __init__(self, theme_name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lines: dict[str, str] = {}
        self._theme = theme_name
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(10)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(1, 1)
        self.hide()

    @property
    def lines(self) -> dict[str, str]:
        """What is shown."""
        return dict(self._lines)

    def show_lines(self, lines: Mapping[str, str]) -> None:
        """Show these lines instead."""
        self._lines = dict(lines)
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        faint = f"color: {theme.faint_color(self._theme).name()};"
        for row, (name, line) in enumerate(lines.items()):
            title, text = QLabel(name, self), QLabel(line, self)
            title.setStyleSheet(faint)
            text.setWordWrap(True)
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self._grid.addWidget(title, row, 0, Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(text, row, 1)
        self.setVisible(bool(lines))

    def set_theme(self, name: str) -> None:
        """Follow the viewer's theme."""
        self._theme = name
        self.show_lines(self._lines)
