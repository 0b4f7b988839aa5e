"""The dock widget *Jobs*: what all programs of this user ask of the engine, and how far it is; results open as layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import napari
import napari.viewer
import numpy as np
from qtpy.QtCore import QSize, QTimer
from qtpy.QtWidgets import QVBoxLayout

from medsynth_core import job_results
from medsynth_core.client import Client
from medsynth_core.engine_view import EngineView
from medsynth_core.errors import MedSynthError
from medsynth_core.job_results import Fetched
from medsynth_core.job_watch import JobWatch
from medsynth_core.protocol import Capabilities, JobInfo, OutputInfo
from medsynth_core.run import Ending, Made, Run, RunProgress
from medsynth_core.session import Session
from napari_medsynth import diagnostics, engine_pill, job_layers
from napari_medsynth.connections import Connections
from napari_medsynth.courier import Courier
from napari_medsynth.docked import Docked
from napari_medsynth.engine_pill import EnginePill
from napari_medsynth.jobs_list import JobsList
from napari_medsynth.message_panel import MessagePanel, failure
from napari_medsynth.panel import WIDTH
from napari_medsynth.session import connect_as_napari

LOOK_MS = 1000


class JobsWidget(Docked):
    """The list in one viewer; `connect` opens a client of the service."""

    def __init__(self, napari_viewer: napari.viewer.Viewer, connect: Callable[[], Client] = connect_as_napari) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self.pill = EnginePill(napari_viewer.theme, self, jobs=False)
        self.jobs = JobsList(self, theme_name=napari_viewer.theme)
        self.message = MessagePanel(napari_viewer.theme, self)
        column = QVBoxLayout(self)
        for part in (self.pill, self.jobs, self.message):
            column.addWidget(part)
        self._courier = Courier()
        self.session = Session(self, self._courier.post, connect)
        self._watch = JobWatch(self.session, self.jobs.show_jobs)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._watch.look)
        self._viewer_events = Connections()
        self._wire()

    def sizeHint(self) -> QSize:
        """Return a width that leaves the canvas its room."""
        return QSize(WIDTH, 320)

    def ends(self) -> tuple[Callable[[], None], ...]:
        """Return what ends the session and all connections to the viewer."""
        return self.session.close, self._viewer_events.close

    def open_job(self, job: JobInfo) -> None:
        """Bring the result of a job, whoever asked for it, into the viewer."""
        self.message.clear()
        self.session.ask(lambda client: job_results.fetch(client, job), lambda fetched: self._show(job, fetched))

    def _show(self, job: JobInfo, fetched: Fetched) -> None:
        try:
            job_layers.show(self._viewer, job, fetched)
        except MedSynthError as problem:
            self.trouble(problem)

    def _wire(self) -> None:
        engine_pill.drive(self.pill, self.session, self._viewer)
        self.jobs.open_wanted.connect(self.open_job)
        self.end_with_it()
        self._viewer_events.add(self._viewer.events.theme, self._theme_changed)
        self.session.open()
        self._timer.start()

    def _theme_changed(self, *_: Any) -> None:
        self.pill.set_theme(self._viewer.theme)
        self.message.set_theme(self._viewer.theme)
        self.jobs.set_theme(self._viewer.theme)

    # what the session tells; nothing is run from here

    def engine_changed(self, view: EngineView) -> None:
        """Show how the engine is."""
        self.pill.show_view(view)
        self._watch.look()

    def capabilities_changed(self, capabilities: Capabilities) -> None: ...

    def trouble(self, problem: MedSynthError) -> None:
        """Show an error with its fix."""
        report = diagnostics.report(self.session.status, problem, "list of jobs")
        self.message.show_message(failure(problem, {"Start engine": self.session.start_engine}, report))

    def run_progressed(self, run: Run, progress: RunProgress) -> None: ...

    def run_announced(self, run: Run, output: OutputInfo) -> None: ...

    def run_grew(self, run: Run, output: str, z: int, pixels: np.ndarray) -> None: ...

    def run_made(self, run: Run, made: Made) -> None: ...

    def run_ended(self, run: Run, ending: Ending, problem: MedSynthError | None) -> None: ...
