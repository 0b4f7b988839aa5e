"""The row under the pill while the engine has no environment, or one is being made: create, choose, cancel, progress."""

from __future__ import annotations

from typing import Any

import qt

from MedSynthLib.environment_desk import EnvironmentDesk
from MedSynthLib.environment_making import Step


class EnvironmentRow:
    """Dresses the widgets of the row `ui.environmentRow`; a click asks the desk."""

    def __init__(self, ui: Any, desk: EnvironmentDesk) -> None:
        self._ui, self._desk = ui, desk
        ui.createButton.connect("clicked()", self._create_or_cancel)
        ui.chooseButton.connect("clicked()", self._choose)
        self.show(False)

    def show(self, wanted: bool) -> None:
        """Show the row while an environment is wanted or being made."""
        self._ui.environmentRow.setVisible(wanted or self._desk.busy)

    def told(self, news: object) -> None:
        """Show what the desk tells."""
        if isinstance(news, Step):
            self._ui.environmentLabel.setText(f"{news.number}/{news.count} {news.text}")
            self._ui.createButton.setText("Cancel")
            self._ui.chooseButton.setEnabled(False)
            return
        self._ui.createButton.setText("Create it for me")
        self._ui.chooseButton.setEnabled(True)
        if isinstance(news, Exception):
            text = str(news)
            self._ui.environmentLabel.setText(f"{text[:1].upper()}{text[1:]}")
            return
        self._ui.environmentLabel.setText("The engine's environment is ready." if news is not None else "It was removed.")

    def _create_or_cancel(self) -> None:
        if self._desk.busy:
            self._ui.environmentLabel.setText("Cancelling…")
            self._desk.cancel()
        else:
            self._desk.create()

    def _choose(self) -> None:
        found = qt.QFileDialog.getOpenFileName(None, "The Python of an environment with napari-medsynth[service]")
        python = found[0] if isinstance(found, tuple) else found  # PyQt gives the filter, too; PythonQt the path alone
        if python:
            self._desk.choose(str(python))
