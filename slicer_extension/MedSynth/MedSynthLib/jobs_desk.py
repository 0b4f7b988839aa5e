"""The list of jobs in the panel: asked for again and again, and what can be done with a job but to run it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt

from medsynth_core import job_results
from medsynth_core.job_results import Fetched
from medsynth_core.job_watch import JobWatch
from medsynth_core.protocol import JobInfo
from medsynth_core.session import Session
from MedSynthLib import engine_menu, results
from MedSynthLib.history import Deeds, History

Post = Callable[[Callable[[], None]], None]
LIST_MS = 2000


class JobsDesk:
    """Keeps `history` up to date from `open` to `close`. `again` makes a job once more; `doubt` takes the node that says where an
    opened result is unsure, None without one. `post` runs a call on the main thread, soon.
    """

    def __init__(
        self, ui: Any, session: Session, again: Callable[[JobInfo], None], doubt: Callable[[Any], None], post: Post
    ) -> None:
        self._session, self._doubt, self._post = session, doubt, post
        self.history = History(ui, Deeds(self.bring, again, self.star, engine_menu.copy))
        self._watch = JobWatch(session, self.history.show)
        self._timer = qt.QTimer()
        self._timer.setInterval(LIST_MS)
        self._timer.connect("timeout()", self.refresh)

    def open(self) -> None:
        """Look every two seconds."""
        self._timer.start()

    def close(self) -> None:
        """Look no more."""
        self._timer.stop()

    def refresh(self) -> None:
        """Look at the jobs of all clients."""
        self._watch.look()

    def bring(self, job: JobInfo) -> None:
        """Put the results of a job, whoever started it, into the scene."""
        self._session.ask(lambda client: job_results.fetch(client, job), lambda made: self._brought(job, made))

    def _brought(self, job: JobInfo, made: Fetched) -> None:
        results.show(job, made, self._post, lambda nodes: self._doubt(nodes.get(results.UNCERTAINTY)))

    def star(self, job: JobInfo, starred: bool) -> None:
        """Keep a job for ever, or no longer."""
        self._session.ask(lambda client: client.star(job.id, starred), lambda _: self.refresh())
