"""The engine pill: a dot and a line that tell how the engine is; a click opens what can be done about it."""

from __future__ import annotations

from collections.abc import Callable

import napari
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QAction, QFontDatabase, QResizeEvent, QTextCursor
from qtpy.QtWidgets import QApplication, QDialog, QMenu, QPlainTextEdit, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from medsynth_core import engine_view
from medsynth_core.engine_view import STARTING, EngineView
from medsynth_core.session import Session
from napari_medsynth import diagnostics, theme
from napari_medsynth.panels import JOBS, TRAIN, open_panel


class EnginePill(QPushButton):
    """Shows an EngineView and sends intentions."""

    start_wanted = Signal()
    stop_wanted = Signal()
    free_wanted = Signal()
    copy_wanted = Signal()
    train_wanted = Signal()
    jobs_wanted = Signal()

    def __init__(self, theme_name: str, parent: QWidget | None = None, jobs: bool = True) -> None:
        """`jobs`: whether the menu offers the list of jobs."""
        super().__init__(parent)
        self._theme, self._view = theme_name, STARTING
        self._log: QDialog | None = None
        self.setStyleSheet("text-align: left; padding-left: 8px;")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setIconSize(QSize(16, 16))
        self.setMinimumHeight(28)
        self.setAccessibleName("Engine")
        self._menu = self._make_menu(jobs)
        self.setMenu(self._menu)
        self.show_view(STARTING)

    @property
    def view(self) -> EngineView:
        """What is shown."""
        return self._view

    def show_view(self, view: EngineView) -> None:
        """Show how the engine is."""
        self._view = view
        self.setIcon(theme.dot(view.lamp, self._theme))
        self.setToolTip(f"{view.text}\n{view.detail}")
        self._start.setEnabled(not view.running)
        self._stop.setEnabled(view.running)
        self._free.setEnabled(view.running)
        self._elide()

    def set_theme(self, name: str) -> None:
        """Follow the viewer's theme."""
        self._theme = name
        self.show_view(self._view)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Shorten the line to the width there is."""
        super().resizeEvent(event)
        self._elide()

    def show_log(self) -> None:
        """Open the end of the engine's log in a window that blocks nothing."""
        if self._log is None:
            self._log = _log_window(self)
        text = self._log.findChild(QPlainTextEdit)
        assert text is not None
        text.setPlainText(diagnostics.log_tail())
        self._log.show()
        text.moveCursor(QTextCursor.MoveOperation.End)

    def _elide(self) -> None:
        room = max(60, self.width() - 58)  # icon, paddings and the menu's arrow
        self.setText("  " + self.fontMetrics().elidedText(self._view.text, Qt.TextElideMode.ElideMiddle, room))

    def _make_menu(self, jobs: bool) -> QMenu:
        menu = QMenu(self)
        self._start = _action(menu, engine_view.START, self.start_wanted.emit)
        self._stop = _action(menu, engine_view.STOP, self.stop_wanted.emit)
        self._free = _action(menu, engine_view.FREE, self.free_wanted.emit)
        menu.addSeparator()
        self.train = _action(menu, "Train on your own cases…", self.train_wanted.emit)
        if jobs:
            _action(menu, "Jobs of all programs", self.jobs_wanted.emit)
        _action(menu, engine_view.SHOW_LOG, self.show_log)
        _action(menu, engine_view.COPY, self.copy_wanted.emit)
        return menu


def _action(menu: QMenu, text: str, act: Callable[[], object]) -> QAction:
    action = QAction(text, menu)
    action.triggered.connect(lambda: act())
    menu.addAction(action)
    return action


def drive(pill: EnginePill, session: Session, viewer: napari.Viewer) -> None:
    """Let a session do what the pill offers about the engine, and the viewer open the panels for trainings and jobs."""
    pill.train_wanted.connect(lambda: open_panel(viewer, TRAIN))
    pill.jobs_wanted.connect(lambda: open_panel(viewer, JOBS))
    pill.start_wanted.connect(session.start_engine)
    pill.stop_wanted.connect(session.stop_engine)
    pill.free_wanted.connect(session.free_memory)
    pill.copy_wanted.connect(lambda: copy(diagnostics.report(session.status)))


def copy(text: str) -> None:
    """Put text on the clipboard."""
    clipboard = QApplication.clipboard()
    if clipboard is not None:
        clipboard.setText(text)


def _log_window(parent: QWidget) -> QDialog:
    window = QDialog(parent)
    window.setWindowTitle(engine_view.LOG_TITLE)
    window.resize(*engine_view.LOG_SIZE)
    text = QPlainTextEdit(window)
    text.setReadOnly(True)
    text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
    QVBoxLayout(window).addWidget(text)
    return window
