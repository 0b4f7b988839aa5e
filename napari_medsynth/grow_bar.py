"""How a volume grows: the ruler, what came beside what was asked, and what to do with one that was stopped half-way."""

from __future__ import annotations

from qtpy.QtCore import QSize, Signal
from qtpy.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from medsynth_core import growth_words
from medsynth_core.deed import Deed
from medsynth_core.growth_words import DISCARD, KEEP, RESUME
from medsynth_core.lamp import Lamp
from napari_medsynth import theme
from napari_medsynth.grow_ruler import GrowRuler


class GrowBar(QFrame):
    """Shows one growth and sends intentions. It is hidden before the first."""

    resume_wanted = Signal()
    keep_wanted = Signal()
    discard_wanted = Signal()
    follow_wanted = Signal(bool)

    def __init__(self, theme_name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._lamp = theme_name, Lamp.OFF
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.ruler = GrowRuler(theme_name, self)
        self.count = QLabel(self)
        self.follow = QCheckBox(growth_words.FOLLOW, self)
        self.follow.setToolTip(growth_words.FOLLOW_TIP)
        self.mark, self.result = QLabel(self), QLabel(self)
        self.result.setWordWrap(True)
        self.choice = QWidget(self)
        self.resume, self.keep, self.discard = (_button(choice) for choice in (RESUME, KEEP, DISCARD))
        self._lay_out()
        self.resume.clicked.connect(lambda: self.resume_wanted.emit())
        self.keep.clicked.connect(lambda: self.keep_wanted.emit())
        self.discard.clicked.connect(lambda: self.discard_wanted.emit())
        self.follow.toggled.connect(self.follow_wanted.emit)
        self.clear()

    def clear(self) -> None:
        """Show nothing."""
        self.show_result(Lamp.OFF, "")
        self.choice.hide()
        self.hide()

    def show_growth(self, depth: int, order: tuple[int, ...]) -> None:
        """Show the finished slices, in the order they came."""
        self.ruler.show_growth(depth, order)
        self.count.setText(growth_words.count_text(len(order), depth))
        self.show()

    def show_result(self, lamp: Lamp, text: str, detail: str = "") -> None:
        """Show what came in one line, with a sentence for the tooltip; an empty text shows none."""
        self._lamp = lamp
        for part in (self.mark, self.result):
            part.setVisible(bool(text))
            part.setToolTip(detail)
        self.result.setText(text)
        self.set_theme(self._theme)

    def offer_choice(self, offered: bool) -> None:
        """Offer to resume, keep or discard, or no longer."""
        self.choice.setVisible(offered)

    def set_theme(self, name: str) -> None:
        """Follow the viewer's theme."""
        self._theme = name
        self.ruler.set_theme(name)
        self.mark.setPixmap(theme.dot(self._lamp, name).pixmap(QSize(12, 12)))

    def _lay_out(self) -> None:
        top, bottom, choice = QHBoxLayout(), QHBoxLayout(), QHBoxLayout(self.choice)
        top.addWidget(self.count)
        top.addStretch(1)
        top.addWidget(self.follow)
        bottom.addWidget(self.mark)
        bottom.addWidget(self.result, 1)
        choice.setContentsMargins(0, 0, 0, 0)
        for button in (self.resume, self.keep, self.discard):
            choice.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        column.addLayout(top)
        column.addWidget(self.ruler)
        column.addWidget(self.choice)
        column.addLayout(bottom)


def _button(choice: Deed) -> QPushButton:
    button = QPushButton(choice.text)
    button.setToolTip(choice.tip)
    return button
