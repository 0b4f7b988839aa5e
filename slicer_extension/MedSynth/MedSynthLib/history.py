"""The list of jobs, of all clients: what napari or a terminal started stands here, too, and its result opens here.

A job keeps its place under the mouse while others come: what was chosen stays chosen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import qt

from medsynth_core.protocol import JobInfo, JobState
from MedSynthLib import repeating

COLUMNS = ("Job", "State", "From", "When")
STAR = "★ "


@dataclass(frozen=True)
class Deeds:
    """What can be done with a job: put its result into the scene, make it once more, star it (or no longer), copy a text."""

    open: Callable[[JobInfo], None]
    again: Callable[[JobInfo], None]
    star: Callable[[JobInfo, bool], None]
    copy: Callable[[str], None]


def state_text(job: JobInfo) -> str:
    """Return how far a job is, in a few words."""
    if not job.state.ended and job.total:
        return f"{job.state} {job.done}/{job.total}"
    return f"{job.state}: {job.error}" if job.state is JobState.FAILED and job.error else str(job.state)


def age_text(created: float, now: float) -> str:
    """Return how long ago a time (seconds since the epoch) was."""
    minutes = max(0, int((now - created) / 60))
    if minutes < 1:
        return "now"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h" if minutes < 36 * 60 else f"{minutes // 1440} d"


def fits(job: JobInfo, search: str, starred: bool) -> bool:
    """Whether a job is looked for: each word stands in its engine, model, client or note."""
    request = job.request
    where = " ".join((request.engine, request.model, request.client, request.note, str(job.state))).casefold()
    return (job.starred or not starred) and all(word in where for word in search.casefold().split())


class History:
    """Dresses `ui.historyTable`, `searchBox`, `starredBox` and the buttons of `ui.historyButtons`."""

    def __init__(self, ui: Any, deeds: Deeds, clock: Callable[[], float] = time.time) -> None:
        self._ui, self._table, self._deeds, self._clock = ui, ui.historyTable, deeds, clock
        self._all: tuple[JobInfo, ...] = ()
        self.jobs: tuple[JobInfo, ...] = ()
        self._chosen = ""
        self._table.setColumnCount(len(COLUMNS))
        self._table.setHorizontalHeaderLabels(list(COLUMNS))
        self._table.setSelectionBehavior(qt.QAbstractItemView.SelectRows)
        self._table.verticalHeader().setVisible(False)
        self._table.horizontalHeader().setStretchLastSection(True)
        self._table.connect("cellClicked(int,int)", self._clicked)
        self._table.connect("cellDoubleClicked(int,int)", self._double_clicked)
        ui.searchBox.connect("textChanged(QString)", lambda _: self._draw())
        ui.starredBox.connect("toggled(bool)", lambda _: self._draw())
        for button, deed in ((ui.openButton, self._open), (ui.againButton, self._again), (ui.starButton, self._star)):
            button.connect("clicked()", deed)
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
        rows, columns = range(len(self.jobs)), range(len(COLUMNS))
        return [tuple(self._table.item(row, column).text() for column in columns) for row in rows]

    def _draw(self) -> None:
        self.jobs = tuple(job for job in self._all if fits(job, str(self._ui.searchBox.text), self._ui.starredBox.checked))
        self._table.setRowCount(len(self.jobs))
        for row, job in enumerate(self.jobs):
            what = " · ".join(part for part in (job.request.engine, job.request.model) if part)
            texts = f"{STAR * job.starred}{what}", state_text(job), job.request.client, age_text(job.created, self._clock())
            for column, text in enumerate(texts):
                self._put(row, column, text)
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
        ui.openButton.setEnabled(job is not None and job.state is JobState.DONE)
        ui.starButton.setEnabled(job is not None and job.state.ended)
        ui.starButton.setText("Unstar" if job is not None and job.starred else "Star")
        for button in (ui.againButton, ui.pythonButton):
            button.setEnabled(job is not None)

    def _clicked(self, row: int, column: int) -> None:
        self._chosen = self.jobs[row].id
        self._dress()

    def _double_clicked(self, row: int, column: int) -> None:
        self._clicked(row, column)
        self._open()

    def _open(self) -> None:
        if (job := self.chosen) is not None and job.state is JobState.DONE:
            self._deeds.open(job)

    def _again(self) -> None:
        if (job := self.chosen) is not None:
            self._deeds.again(job)

    def _star(self) -> None:
        if (job := self.chosen) is not None:
            self._deeds.star(job, not job.starred)

    def _copy(self) -> None:
        if (job := self.chosen) is not None:
            self._deeds.copy(repeating.as_python(job))
