"""The one button: the engine's verb → Cancel → Cancelling… and back. Disabled, its tooltip says why."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any


class Mode(enum.StrEnum):
    """What a click does."""

    READY = "ready"
    RUNNING = "running"
    CANCELLING = "cancelling"


class PrimaryButton:
    """Dresses a push button; a click calls `start` or `cancel`."""

    def __init__(self, button: Any, start: Callable[[], None], cancel: Callable[[], None]) -> None:
        self._button, self._start, self._cancel = button, start, cancel
        self._verb, self._blocked, self.mode = "Run", "", Mode.READY
        button.connect("clicked()", self._clicked)
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
        texts = {Mode.READY: self._verb, Mode.RUNNING: "Cancel", Mode.CANCELLING: "Cancelling…"}
        tooltips = {Mode.READY: self._blocked or f"{self._verb} with the settings above", Mode.RUNNING: "Stop; slices are kept"}
        self._button.setText(texts[self.mode])
        self._button.setToolTip(tooltips.get(self.mode, "Stopping…"))
        self._button.setEnabled(self.mode is Mode.RUNNING or (self.mode is Mode.READY and not self._blocked))

    def _clicked(self) -> None:
        if self.mode is Mode.READY:
            self._start()
        elif self.mode is Mode.RUNNING:
            self._cancel()
