"""The row under the pill while the engine has no environment, or one is being made: create, choose, cancel, progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer

from medsynth_core.sentences import sentence
from MedSynthLib.environment import Chosen
from MedSynthLib.environment_desk import EnvironmentDesk
from MedSynthLib.environment_making import Step

WORDS = {
    "Repair": "Make it anew; the old one stays in use until the new one works",
    "Remove": "Delete it from your data folder; it can be made again",
}


REMOVE = "Remove the engine's environment? It is deleted from your data folder. Making it again means to download some gigabytes."


def confirmed(question: str) -> bool:
    """Ask a person, and wait for the answer."""
    return bool(slicer.util.confirmOkCancelDisplay(question, "MedSynth"))


class EnvironmentRow:
    """Dresses the widgets of the row `ui.environmentRow`; a click asks the desk. `confirm` asks before anything is deleted."""

    def __init__(self, ui: Any, desk: EnvironmentDesk, confirm: Callable[[str], bool] = confirmed) -> None:
        self._ui, self._desk, self._confirm = ui, desk, confirm
        self._asked = self._running = False
        ui.createButton.connect("clicked()", self._create_or_cancel)
        ui.chooseButton.connect("clicked()", self._choose)
        ui.repairButton.connect("clicked()", desk.create)
        ui.removeButton.connect("clicked()", self._remove)
        self.show(False)

    def show(self, wanted: bool) -> None:
        """Show the row while an environment is wanted or being made, or while somebody asked to see it."""
        busy, used = self._desk.busy, self._desk.used
        self._ui.environmentRow.setVisible(wanted or self._asked or busy)
        ours = used is not None and bool(used.made_here)
        for button in (self._ui.repairButton, self._ui.removeButton):
            button.setVisible(ours)
            button.setEnabled(ours and not self._running and not busy)
            button.setToolTip("Stop the engine first: it runs in this environment" if self._running else WORDS[button.text])
        self._ui.createButton.setVisible(not ours or busy)
        self._ui.createButton.setText("Cancel" if busy else "Create it for me")
        self._ui.chooseButton.setEnabled(not busy)

    def ask(self, asked: bool) -> None:
        """Show the row as long as somebody wants to see it."""
        self._asked = asked
        self.show(False)
        if asked and not self._desk.busy:
            self._ui.environmentLabel.setText(described(self._desk.used))

    def set_running(self, running: bool) -> None:
        """While the engine runs, its environment is neither repaired nor removed."""
        self._running = running

    def told(self, news: object) -> None:
        """Show what the desk tells."""
        if isinstance(news, Step):
            self._ui.environmentLabel.setText(f"{news.number}/{news.count} {news.text}")
            self.show(True)
            return
        if isinstance(news, Exception):
            text = str(news)
            self._ui.environmentLabel.setText(sentence(text))
        else:
            self._ui.environmentLabel.setText("The engine's environment is ready." if news is not None else "It was removed.")
        self.show(not isinstance(news, Chosen))

    def _create_or_cancel(self) -> None:
        if self._desk.busy:
            self._ui.environmentLabel.setText("Cancelling…")
            self._desk.cancel()
        else:
            self._desk.create()

    def _remove(self) -> None:
        if not self._confirm(REMOVE) or self._running or self._desk.busy:  # the engine may have been started meanwhile
            return
        self._ui.environmentLabel.setText("Removing it…")
        self._desk.remove()
        self.show(True)

    def _choose(self) -> None:
        found = qt.QFileDialog.getOpenFileName(None, "The Python of an environment with napari-medsynth[service]")
        python = found[0] if isinstance(found, tuple) else found  # PyQt gives the filter, too; PythonQt the path alone
        if python:
            self._desk.choose(str(python))


def described(used: Chosen | None) -> str:
    """Return what is known about the environment in use."""
    if used is None:
        return "The engine has no environment yet: let one be made, or choose one."
    return f"The engine runs in {'an environment made here' if used.made_here else 'an environment of yours'}:\n{used.python}"
