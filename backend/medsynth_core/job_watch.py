"""The list of jobs that a viewer shows, kept up to date: asked for again and again, also for jobs that other programs started."""

from __future__ import annotations

from collections.abc import Callable

from medsynth_core.client import Client
from medsynth_core.errors import ServiceUnavailableError
from medsynth_core.protocol import JobInfo
from medsynth_core.session import Session

Jobs = tuple[JobInfo, ...]


class JobWatch:
    """`look` asks, `told` gets all jobs of all clients, newest first, on the viewer's thread. A viewer calls `look` on a timer.

    One question is under way at a time, and none while the service is away: the engine's line says that already, a list neither
    says it once more nor starts an engine that the user stopped.
    """

    def __init__(self, session: Session, told: Callable[[Jobs], None]) -> None:
        self._session, self._told = session, told
        self._asking = False  # set on the viewer's thread, cleared on the one that asked

    def look(self) -> None:
        """Ask for the jobs, unless that is under way or there is nobody to ask."""
        if self._session.status is not None and not self._asking:
            self._asking = True
            self._session.ask(self._ask, self._tell)

    def _ask(self, client: Client) -> Jobs | None:
        try:
            return client.jobs()
        except ServiceUnavailableError:  # it went away since its last sign of life
            return None
        finally:
            self._asking = False

    def _tell(self, jobs: Jobs | None) -> None:
        if jobs is not None:
            self._told(jobs)
