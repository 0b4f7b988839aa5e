"""The one button: Synthesize (or Refine) → Cancel → Cancelling… and back. Esc cancels. Disabled, its tooltip says why."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QPushButton, QWidget

from medsynth_core import run_button
from medsynth_core.run_button import Mode
from napari_medsynth import theme


class PrimaryButton(QPushButton):
    """Shows the mode and sends the intention: `run_wanted` or `cancel_wanted`."""

    run_wanted = Signal()
    cancel_wanted = Signal()

    def __init__(self, theme_name: str, verb: str, tooltip: str, parent: QWidget | None = None) -> None:
        """`verb` is what the button says when it is ready, `tooltip` what a click then does."""
        super().__init__(parent)
        self._verb, self._tip = verb, tooltip
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
        self._verb, self._tip = verb, tooltip
        self._show()

    def block(self, reason: str) -> None:
        """Disable the start of a run and say why; an empty reason enables it."""
        self._blocked = reason
        self._show()

    def _show(self) -> None:
        shown = run_button.face(self._mode, self._verb, self._tip, self._blocked)
        self.setText(shown.text)
        self.setToolTip(shown.tip)
        self.setEnabled(shown.enabled)
        self._escape.setEnabled(self._mode is Mode.RUNNING)

    def _clicked(self) -> None:
        if self._mode is Mode.READY:
            self.run_wanted.emit()
        else:
            self._cancel()

    def _cancel(self) -> None:
        if self._mode is Mode.RUNNING:
            self.cancel_wanted.emit()
