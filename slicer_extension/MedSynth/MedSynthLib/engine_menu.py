"""The pill's menu: start, stop, free memory, log, diagnostics, and the environment the engine runs in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer

from medsynth_core import diagnostics, engine_view
from medsynth_core.engine_view import EngineView
from medsynth_core.errors import MedSynthError
from medsynth_core.session import Session


class EngineMenu:
    """Gives a push button the menu `menu`; `environment` shows or hides the row about the environment."""

    def __init__(self, button: Any, session: Session, environment: Callable[[bool], None]) -> None:
        self._session = session
        self._log: Any = None
        self.problem: MedSynthError | None = None
        self.menu = qt.QMenu(button)
        self.start = self._add(engine_view.START, session.start_engine)
        self.stop = self._add(engine_view.STOP, session.stop_engine)
        self.free = self._add(engine_view.FREE, session.free_memory)
        self.menu.addSeparator()
        self.show_log = self._add(engine_view.SHOW_LOG, self._open_log)
        self.copy = self._add(engine_view.COPY, lambda: copy(self.report()))
        self.menu.addSeparator()
        self.environment = self.menu.addAction("Environment")
        self.environment.setCheckable(True)
        self.environment.connect("toggled(bool)", environment)
        button.setMenu(self.menu)

    def show(self, view: EngineView) -> None:
        """Offer what can be done with the engine as it is."""
        self.start.setEnabled(not view.running)
        self.stop.setEnabled(view.running)
        self.free.setEnabled(view.running)

    def report(self) -> str:
        """Return what a maintainer needs to know, without paths."""
        return diagnostics.report(f"3D Slicer {slicer.app.applicationVersion}", self._session.status, self.problem)

    def close(self) -> None:
        """Close the window of the log."""
        if self._log is not None:
            self._log.close()

    def _add(self, text: str, act: Callable[[], object]) -> Any:
        action = self.menu.addAction(text)
        action.connect("triggered()", lambda: act())
        return action

    def _open_log(self) -> None:
        """Show the end of the engine's log in a window that blocks nothing."""
        if self._log is None:
            self._log = qt.QPlainTextEdit()
            self._log.setWindowTitle(engine_view.LOG_TITLE)
            self._log.setReadOnly(True)
            self._log.resize(*engine_view.LOG_SIZE)
        self._log.setPlainText(diagnostics.log_tail())
        self._log.show()
        self._log.moveCursor(qt.QTextCursor.End)


def copy(text: str) -> None:
    """Put text on the clipboard."""
    qt.QApplication.clipboard().setText(text)
