"""The progress bar of one run at a time, and the button that started it: how far it is, and how it ended."""

from __future__ import annotations

from typing import Any

from medsynth_core.run import Ending, RunProgress
from medsynth_core.run_button import Mode
from MedSynthLib.primary_button import PrimaryButton


class RunBar:
    """Dresses a progress bar; at the end of a run the button is ready for the next one."""

    def __init__(self, bar: Any, button: PrimaryButton) -> None:
        self._bar, self._button = bar, button

    def progressed(self, progress: RunProgress) -> None:
        """Show how far the run is."""
        self._bar.setValue(round(100 * progress.share))
        self._bar.setFormat(progress.line)

    def ended(self, ending: Ending) -> None:
        """Show how it ended: full when it is done, else empty, and in words."""
        self._button.set_mode(Mode.READY)
        self._bar.setValue(100 if ending is Ending.DONE else 0)
        self._bar.setFormat(str(ending))
