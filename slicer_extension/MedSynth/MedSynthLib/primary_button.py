"""The one button, as every viewer has it (`medsynth_core.run_button`). Esc cancels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt

from medsynth_core import run_button
from medsynth_core.run_button import Mode


class PrimaryButton:
    """Dresses a push button; a click calls `start` or `cancel`."""

    def __init__(self, button: Any, start: Callable[[], None], cancel: Callable[[], None]) -> None:
        self._button, self._start, self._cancel = button, start, cancel
        self._verb, self._blocked, self.mode = "Run", "", Mode.READY
        button.connect("clicked()", self._clicked)
        # enabled during a run only: Esc has other uses in the viewer
        self._escape = qt.QShortcut(qt.QKeySequence("Esc"), button)
        self._escape.connect("activated()", self._clicked)
        self._show()

    def set_verb(self, verb: str) -> None:
        """Say what the button does when it is ready."""
        self._verb = verb
        self._show()

    def set_mode(self, mode: Mode) -> None:
        """Show another mode."""
        self.mode = mode
        self._show()

    def block(self, reason: str) -> None:
        """Disable the start of a run and say why; an empty reason enables it."""
        self._blocked = reason
        self._show()

    def _show(self) -> None:
        shown = run_button.face(self.mode, self._verb, f"{self._verb} with the settings above", self._blocked)
        self._button.setText(shown.text)
        self._button.setToolTip(shown.tip)
        self._button.setEnabled(shown.enabled)
        self._escape.setEnabled(self.mode is Mode.RUNNING)

    def _clicked(self) -> None:
        if self.mode is Mode.READY:
            self._start()
        elif self.mode is Mode.RUNNING:
            self._cancel()
