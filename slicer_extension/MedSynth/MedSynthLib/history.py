"""The list of jobs, of all clients: what napari or a terminal started stands here, too, and its result opens here.

A job keeps its place under the mouse while others come: what was chosen stays chosen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import qt

from medsynth_core import job_script, job_words
from medsynth_core.deed import Deed
from medsynth_core.protocol import JobInfo


@dataclass(frozen=True)
class Deeds:
    """What can be done with a job: put its result into the scene, make it once more, star it (or no longer), copy a text."""

    open: Callable[[JobInfo], None]
    again: Callable[[JobInfo], None]
    star: Callable[[JobInfo, bool], None]
    copy: Callable[[str], None]


class History:
    """Dresses `ui.historyTable`, `searchBox`, `starredBox` and the buttons of `ui.historyButtons`."""

    def __init__(self, ui: Any, deeds: Deeds, clock: Callable[[], float] = time.time) -> None:
        self._ui, self._table, self._deeds, self._clock = ui, ui.historyTable, deeds, clock
        self._all: tuple[JobInfo, ...] = ()
        self.jobs: tuple[JobInfo, ...] = ()
        self._chosen = ""
        self._table.setColumnCount(len(job_words.COLUMNS))
        self._table.setHorizontalHeaderLabels(list(job_words.COLUMNS))
        self._table.setSelectionBehavior(qt.QAbstractItemView.SelectRows)
        self._table.verticalHeader().setVisible(False)
        self._widen_first()
        self._table.connect("cellClicked(int,int)", self._clicked)
        self._table.connect("cellDoubleClicked(int,int)", self._double_clicked)
        ui.searchBox.connect("textChanged(QString)", lambda _: self._draw())
        ui.starredBox.connect("toggled(bool)", lambda _: self._draw())
        for button, deed in ((ui.openButton, self._open), (ui.againButton, self._again), (ui.starButton, self._star)):
            button.connect("clicked()", deed)
        self._name()
        ui.pythonButton.connect("clicked()", self._copy)
        self._dress()

    @property
    def chosen(self) -> JobInfo | None:
        """The job that was clicked, if it is shown."""
        return next((job for job in self.jobs if job.id == self._chosen), None)

    def show(self, jobs: tuple[JobInfo, ...]) -> None:
        """Show these jobs, newest first, as far as they are looked for."""
        self._all = jobs
        self._draw()

    def texts(self) -> list[tuple[str, ...]]:
        """Return what the table shows, row by row."""
        rows, columns = range(len(self.jobs)), range(len(job_words.COLUMNS))
        return [tuple(self._table.item(row, column).text() for column in columns) for row in rows]

    def _name(self) -> None:
        ui = self._ui
        self._table.setToolTip(job_words.TIP)
        ui.searchBox.setPlaceholderText(job_words.SEARCH)
        ui.searchBox.setToolTip(job_words.SEARCH_TIP)
        ui.starredBox.setText(job_words.STARRED_ONLY)
        for button, deed in ((ui.againButton, job_words.AGAIN), (ui.pythonButton, job_words.COPY)):
            _say(button, deed)
        _say(ui.openButton, job_words.opens("into the scene"))

    def _widen_first(self) -> None:
        """Give the job's column what the short ones leave: a panel is narrow."""
        header = self._table.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(0, qt.QHeaderView.Stretch)

    def _draw(self) -> None:
        self.jobs = tuple(
            job for job in self._all if job_words.fits(job, str(self._ui.searchBox.text), self._ui.starredBox.checked)
        )
        self._table.setRowCount(len(self.jobs))
        for row, job in enumerate(self.jobs):
            for column, text in enumerate(job_words.row(job, self._clock())):
                self._put(row, column, text)
            if (shown := job_words.quality(job)) is not None:
                self._table.item(row, job_words.STATE).setToolTip(shown.tip)
        self._mark()
        self._dress()

    def _mark(self) -> None:
        if (job := self.chosen) is not None:
            self._table.setCurrentCell(self.jobs.index(job), 0)
        else:
            self._table.clearSelection()

    def _put(self, row: int, column: int, text: str) -> None:
        item = self._table.item(row, column)
        if item is None:
            item = qt.QTableWidgetItem()
            item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
            self._table.setItem(row, column, item)
        item.setText(text)
        item.setToolTip(text)

    def _dress(self) -> None:
        job, ui = self.chosen, self._ui
        ui.openButton.setEnabled(job_words.can_open(job))
        ui.starButton.setEnabled(job_words.can_star(job))
        _say(ui.starButton, job_words.star_word(job))
        for button in (ui.againButton, ui.pythonButton):
            button.setEnabled(job is not None)

    def _clicked(self, row: int, column: int) -> None:
        self._chosen = self.jobs[row].id
        self._dress()

    def _double_clicked(self, row: int, column: int) -> None:
        self._clicked(row, column)
        self._open()

    def _open(self) -> None:
        if (job := self.chosen) is not None and job_words.can_open(job):
            self._deeds.open(job)

    def _again(self) -> None:
        if (job := self.chosen) is not None:
            self._deeds.again(job)

    def _star(self) -> None:
        if (job := self.chosen) is not None:
            self._deeds.star(job, not job.starred)

    def _copy(self) -> None:
        if (job := self.chosen) is not None:
            self._deeds.copy(job_script.as_python(job))


def _say(button: Any, deed: Deed) -> None:
    button.setText(deed.text)
    button.setToolTip(deed.tip)
