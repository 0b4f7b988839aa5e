"""The seed: its number, a die that rolls another, a lock that keeps it; and how many images to make."""

from __future__ import annotations

import random
from dataclasses import replace

from qtpy.QtCore import QSize, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QSizePolicy, QSpinBox, QWidget

from napari_medsynth import theme
from napari_medsynth.settings import Settings

LARGEST_SEED = 2**31 - 1
COUNTS = (1, 4)


class SeedRow(QWidget):
    """Shows seed and lock; `count` is laid out by the panel. With the lock open, every run begins by rolling the die."""

    changed = Signal()

    def __init__(self, theme_name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._random = random.Random()
        self.seed = QSpinBox(self)
        self.seed.setRange(0, LARGEST_SEED)
        self.seed.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        self.seed.setMinimumWidth(64)
        self.seed.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.seed.setToolTip("Same seed, same mask and same settings give the same image")
        self.dice = self._button("Roll another seed")
        self.lock = self._button("")
        self.lock.setCheckable(True)
        self.count = QComboBox()
        self.count.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for count in COUNTS:
            self.count.addItem(f"{count}, 2 × 2" if count == 4 else str(count), count)
        self.count.setToolTip("How many images to make, each of its own seed")
        self._lay_out()
        self.dice.clicked.connect(self.roll)
        self.lock.toggled.connect(self._show_lock)
        self.set_theme(theme_name)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the next run: this one and those that follow it."""
        return tuple((self.seed.value() + i) % (LARGEST_SEED + 1) for i in range(self.count.currentData()))

    def kept(self, settings: Settings) -> Settings:
        """Return the settings with what this row shows."""
        return replace(settings, seed=self.seed.value(), seed_locked=self.lock.isChecked(), variations=self.count.currentData())

    def restore(self, seed: int, locked: bool, count: int) -> None:
        """Show what was remembered."""
        self.seed.setValue(seed)
        self.lock.setChecked(locked)
        self.count.setCurrentIndex(max(0, self.count.findData(count)))

    def next_seeds(self) -> tuple[int, ...]:
        """Roll the die unless the seed is locked, and return the seeds to use now."""
        if not self.lock.isChecked():
            self.roll()
        return self.seeds

    def roll(self) -> None:
        """Show another seed."""
        self.seed.setValue(self._random.randrange(100_000))

    def set_theme(self, name: str) -> None:
        """Follow the viewer's theme."""
        self._theme = name
        self.dice.setIcon(theme.icon("dice", name))
        self._show_lock()

    def _show_lock(self) -> None:
        locked = self.lock.isChecked()
        self.lock.setIcon(theme.icon("lock" if locked else "unlock", self._theme))
        self.lock.setToolTip("Seed is kept: click to roll a new one for each run" if locked else "Keep this seed")

    def _button(self, tooltip: str) -> QPushButton:
        button = QPushButton(self)
        button.setIconSize(QSize(18, 18))
        button.setToolTip(tooltip)
        return button

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.seed, 1)
        row.addWidget(self.dice)
        row.addWidget(self.lock)
