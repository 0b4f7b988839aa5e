"""The one button: Synthesize (or Refine) → Cancel → Cancelling… and back. Esc cancels. Disabled, its tooltip says why."""

from __future__ import annotations

import enum

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QPushButton, QWidget

from napari_medsynth import theme


class Mode(enum.StrEnum):
    """What a click does."""

    READY = "ready"
    RUNNING = "running"
    CANCELLING = "cancelling"


class PrimaryButton(QPushButton):
    """Shows the mode and sends the intention: `run_wanted` or `cancel_wanted`."""

    run_wanted = Signal()
    cancel_wanted = Signal()

    def __init__(self, theme_name: str, verb: str, tooltip: str, parent: QWidget | None = None) -> None:
        """`verb` is what the button says when it is ready, `tooltip` what a click then does."""
        super().__init__(parent)
        self._texts = {Mode.READY: verb, Mode.RUNNING: "Cancel", Mode.CANCELLING: "Cancelling…"}
        self._tooltips = {Mode.READY: tooltip, Mode.RUNNING: "Stop (Esc)", Mode.CANCELLING: "Stopping…"}
        self._blocked = ""
        self._mode = Mode.READY
        self.setMinimumHeight(34)
        self.clicked.connect(self._clicked)
        # enabled during a run only: Esc has other uses in the viewer
        self._escape = QShortcut(QKeySequence(Qt.Key.Key_Escape), self)
        self._escape.activated.connect(self._cancel)
        self.set_theme(theme_name)
        self._show()

    @property
    def mode(self) -> Mode:
        """What a click does now."""
        return self._mode

    def set_mode(self, mode: Mode) -> None:
        """Show another mode."""
        self._mode = mode
        self._show()

    def set_theme(self, name: str) -> None:
        """Follow the viewer's theme: the button stands out in the theme's accent color while it can be clicked."""
        self.setStyleSheet(f"QPushButton:enabled {{ background-color: {theme.accent_color(name).name()}; font-weight: bold; }}")

    def set_verb(self, verb: str, tooltip: str) -> None:
        """Stand for another start: what the button says when it is ready, and what a click then does."""
        self._texts[Mode.READY], self._tooltips[Mode.READY] = verb, tooltip
        self._show()

    def block(self, reason: str) -> None:
        """Disable the start of a run and say why; an empty reason enables it."""
        self._blocked = reason
        self._show()

    def _show(self) -> None:
        self.setText(self._texts[self._mode])
        blocked = self._blocked if self._mode is Mode.READY else ""
        self.setEnabled(not blocked and self._mode is not Mode.CANCELLING)
        self._escape.setEnabled(self._mode is Mode.RUNNING)
        self.setToolTip(blocked or self._tooltips[self._mode])

    def _clicked(self) -> None:
        if self._mode is Mode.READY:
            self.run_wanted.emit()
        else:
            self._cancel()

    def _cancel(self) -> None:
        if self._mode is Mode.RUNNING:
            self.cancel_wanted.emit()
