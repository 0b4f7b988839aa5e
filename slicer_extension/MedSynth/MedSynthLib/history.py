"""The list of jobs, of all clients: what napari or a terminal started stands here, too, and its result opens here."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import qt

from medsynth_core.protocol import JobInfo, JobState

COLUMNS = ("Job", "State", "From", "When")


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


class History:
    """Fills a table widget; a double click on a job that has a result calls `opened`."""

    def __init__(self, table: Any, opened: Callable[[JobInfo], None], clock: Callable[[], float] = time.time) -> None:
        self._table, self._opened, self._clock = table, opened, clock
        self.jobs: tuple[JobInfo, ...] = ()
        table.setColumnCount(len(COLUMNS))
        table.setHorizontalHeaderLabels(list(COLUMNS))
        table.connect("cellDoubleClicked(int,int)", self._clicked)

    def show(self, jobs: tuple[JobInfo, ...]) -> None:
        """Show these jobs, newest first."""
        self.jobs = jobs
        self._table.setRowCount(len(jobs))
        for row, job in enumerate(jobs):
            what = " · ".join(part for part in (job.request.engine, job.request.model) if part)
            for column, text in enumerate((what, state_text(job), job.request.client, age_text(job.created, self._clock()))):
                self._put(row, column, text)

    def texts(self) -> list[tuple[str, ...]]:
        """Return what the table shows, row by row."""
        rows, columns = range(len(self.jobs)), range(len(COLUMNS))
        return [tuple(self._table.item(row, column).text() for column in columns) for row in rows]

    def _put(self, row: int, column: int, text: str) -> None:
        item = self._table.item(row, column)
        if item is None:
            item = qt.QTableWidgetItem()
            item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
            self._table.setItem(row, column, item)
        item.setText(text)
        item.setToolTip(text)

    def _clicked(self, row: int, column: int) -> None:
        if self.jobs[row].state is JobState.DONE:
            self._opened(self.jobs[row])
