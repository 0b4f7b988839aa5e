"""The list of jobs, of all programs: what Slicer or a terminal started stands here, too, with its progress, and opens here.

A job keeps its place under the mouse while others come: what was chosen stays chosen.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from medsynth_core import job_words
from medsynth_core.protocol import JobInfo
from napari_medsynth import theme

OPEN = job_words.opens("into the viewer, where it lies in the world")


class JobsList(QWidget):
    """Shows jobs and sends the intention to open one; `clock` counts seconds since the epoch."""

    open_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None, clock: Callable[[], float] = time.time, theme_name: str = "dark") -> None:
        super().__init__(parent)
        self._clock, self._theme = clock, theme_name
        self._all: tuple[JobInfo, ...] = ()
        self._jobs: tuple[JobInfo, ...] = ()
        self._chosen = ""
        self.search, self.table, self.open = _search(self), _table(self), QPushButton(OPEN.text, self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for part in (self.search, self.table, self.open):
            column.addWidget(part)
        self.search.textChanged.connect(lambda _: self._draw())
        self.table.itemSelectionChanged.connect(self._picked)
        self.table.itemDoubleClicked.connect(lambda _: self._open())
        self.open.clicked.connect(self._open)
        self._dress()

    @property
    def chosen(self) -> JobInfo | None:
        """The job that was clicked, if it is shown."""
        return next((job for job in self._jobs if job.id == self._chosen), None)

    def show_jobs(self, jobs: tuple[JobInfo, ...]) -> None:
        """Show these jobs, newest first, as far as they are looked for."""
        self._all = jobs
        self._draw()

    def _draw(self) -> None:
        self._jobs = tuple(job for job in self._all if job_words.fits(job, self.search.text(), False))
        self.table.blockSignals(True)
        self.table.setRowCount(len(self._jobs))
        for row, job in enumerate(self._jobs):
            for column, text in enumerate(job_words.row(job, self._clock())):
                self._put(row, column, text)
            self._put_quality(row, job)
        self._mark()
        self.table.blockSignals(False)
        self._dress()

    def set_theme(self, name: str) -> None:
        """Follow the viewer's theme."""
        self._theme = name
        self._draw()

    def texts(self) -> list[tuple[str, ...]]:
        """Return what the table shows, row by row."""
        columns = range(len(job_words.COLUMNS))
        return [tuple(_text(self.table, row, column) for column in columns) for row in range(self.table.rowCount())]

    def _put(self, row: int, column: int, text: str) -> None:
        item = self.table.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            self.table.setItem(row, column, item)
        item.setText(text)
        item.setToolTip(text)

    def _put_quality(self, row: int, job: JobInfo) -> None:
        """Mark a result's state with its badge; a result that nobody has measured has none."""
        item = self.table.item(row, job_words.STATE)
        if item is None:
            return
        shown = job_words.quality(job)
        item.setIcon(theme.dot(shown.lamp, self._theme) if shown else QIcon())
        if shown:
            item.setToolTip(shown.tip)

    def _mark(self) -> None:
        job = self.chosen
        if job is None:
            self.table.clearSelection()
        else:
            self.table.selectRow(self._jobs.index(job))

    def _picked(self) -> None:
        rows = {index.row() for index in self.table.selectedIndexes()}
        self._chosen = self._jobs[min(rows)].id if rows else ""
        self._dress()

    def _dress(self) -> None:
        lacking = _lacking(self.chosen)
        self.open.setEnabled(not lacking)
        self.open.setToolTip(lacking or OPEN.tip)

    def _open(self) -> None:
        if (job := self.chosen) is not None and not _lacking(job):
            self.open_wanted.emit(job)


def _lacking(job: JobInfo | None) -> str:
    """Return why a job cannot be opened, empty if it can."""
    if job is None:
        return "Click a job first"
    return "" if job_words.can_open(job) else f"Only a job that is done has a result: this one is {job.state}"


def _text(table: QTableWidget, row: int, column: int) -> str:
    item = table.item(row, column)
    return item.text() if item is not None else ""


def _search(parent: QWidget) -> QLineEdit:
    line = QLineEdit(parent)
    line.setPlaceholderText(job_words.SEARCH)
    line.setToolTip(job_words.SEARCH_TIP)
    line.setClearButtonEnabled(True)
    return line


def _table(parent: QWidget) -> QTableWidget:
    table = QTableWidget(0, len(job_words.COLUMNS), parent)
    table.setHorizontalHeaderLabels(job_words.COLUMNS)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setTextElideMode(Qt.TextElideMode.ElideRight)
    table.setWordWrap(False)
    table.setShowGrid(False)
    table.setMinimumHeight(120)  # some jobs are seen under a tall panel, too
    table.setAccessibleName("Jobs of all programs")
    if (rows := table.verticalHeader()) is not None:
        rows.setVisible(False)
    if (columns := table.horizontalHeader()) is not None:
        columns.setHighlightSections(False)
        columns.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        for wide in (0, 1):  # what made a job, and its state with the cause of a failure, share the room and are elided
            columns.setSectionResizeMode(wide, QHeaderView.ResizeMode.Stretch)
    return table
