"""The pre-flight chips over the button: one small mark a check, and a Fix button where there is a fix."""

from __future__ import annotations

from qtpy.QtCore import QSize, Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget
from superqt import QFlowLayout

from medsynth_core.preflight import Chip, Fix
from napari_medsynth import theme


class ChipBar(QWidget):
    """Shows chips in as many lines as they need; `fix_wanted` carries the Fix that was clicked."""

    fix_wanted = Signal(object)

    def __init__(self, theme_name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme_name
        self._chips: tuple[Chip, ...] = ()
        self._flow = QFlowLayout(self)
        self._flow.setContentsMargins(0, 0, 0, 0)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    @property
    def chips(self) -> tuple[Chip, ...]:
        """What is shown."""
        return self._chips

    def show_chips(self, chips: tuple[Chip, ...]) -> None:
        """Show these chips instead."""
        if chips != self._chips:
            self._chips = chips
            self._rebuild()

    def set_theme(self, name: str) -> None:
        """Follow the viewer's theme."""
        self._theme = name
        self._rebuild()

    def _rebuild(self) -> None:
        while (item := self._flow.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for chip in self._chips:
            self._flow.addWidget(self._draw(chip))
        self.updateGeometry()

    def _draw(self, chip: Chip) -> QWidget:
        frame = QFrame(self)
        frame.setToolTip(chip.detail)
        row = QHBoxLayout(frame)
        row.setContentsMargins(2, 0, 2, 0)
        row.setSpacing(3)
        mark = QLabel(frame)
        mark.setPixmap(theme.dot(chip.lamp, self._theme).pixmap(QSize(12, 12)))
        row.addWidget(mark)
        row.addWidget(QLabel(chip.text, frame))
        if chip.fix is not Fix.NONE:
            button = QPushButton(chip.fix.value, frame)
            button.setToolTip(chip.detail)
            button.clicked.connect(lambda: self.fix_wanted.emit(chip.fix))
            row.addWidget(button)
        return frame
