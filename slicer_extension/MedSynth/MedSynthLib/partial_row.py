"""What to do with a result that was stopped half-way: go on, keep what is there, or take it away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from medsynth_core.growth_words import DISCARD, KEEP, RESUME
from medsynth_core.run import RunRequest


class PartialRow:
    """Dresses `ui.resumeButton`, `keepButton`, `dropButton` in `ui.partialRow`. `resume` is told the request that goes on."""

    def __init__(self, ui: Any, resume: Callable[[RunRequest], None], drop: Callable[[], None]) -> None:
        self._ui, self._resume, self._drop = ui, resume, drop
        self.request: RunRequest | None = None
        choices = ((ui.resumeButton, RESUME), (ui.keepButton, KEEP), (ui.dropButton, DISCARD))
        for button, choice in choices:
            button.setText(choice.text)
            button.setToolTip(choice.tip)
        ui.resumeButton.connect("clicked()", self._resumed)
        ui.keepButton.connect("clicked()", self.withdraw)
        ui.dropButton.connect("clicked()", self._dropped)
        self.withdraw()

    def offer(self, request: RunRequest) -> None:
        """Offer to go on with a request."""
        self.request = request
        self._ui.partialRow.setVisible(True)

    def withdraw(self) -> None:
        """Offer nothing: what is there is kept."""
        self.request = None
        self._ui.partialRow.setVisible(False)

    def _resumed(self) -> None:
        request = self.request
        self.withdraw()
        if request is not None:
            self._resume(request)

    def _dropped(self) -> None:
        self.withdraw()
        self._drop()
