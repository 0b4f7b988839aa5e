"""The engine's environment in the panel: chosen, made with progress and cancel, repaired, removed; never on the main thread."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from medsynth_core.errors import MedSynthError
from MedSynthLib import environment, environment_making
from MedSynthLib.environment import Chosen, EnvironmentProblem
from MedSynthLib.environment_making import Plan, Step

log = logging.getLogger(__name__)
Post = Callable[[Callable[[], None]], None]


class EnvironmentDesk:
    """Does one thing at a time for the state folder `home`.

    `post` brings a call to the main thread. `told` hears each step and how it ended: a Step, a Chosen, None when it was removed,
    or the problem. `environ` is what Slicer was started with, `own_folder` where Slicer lies: its Python is not for us.
    """

    def __init__(
        self,
        home: Path,
        post: Post,
        told: Callable[[Step | Chosen | MedSynthError | None], None],
        environ: Mapping[str, str] = os.environ,
        own_folder: Path | None = None,
    ) -> None:
        self._home, self._post, self._told = home, post, told
        self._environ, self._own_folder = environ, own_folder
        self._cancelled = threading.Event()
        self.busy = False
        """Whether something is under way: until its end is told, however long its thread takes to end after that."""

    @property
    def used(self) -> Chosen | None:
        """The environment in use."""
        return environment.chosen(self._home)

    def choose(self, python: str) -> None:
        """Verify the interpreter of an existing environment and use it from now on."""
        self._do(lambda: environment.choose(self._home, python, self._environ))

    def create(self, python: str = "", plan: Plan | None = None) -> None:
        """Make an environment (anew: repair), with the Python found on this machine unless one is named."""
        self._do(lambda: self._create(python, plan))

    def remove(self) -> None:
        """Remove what we made; end the service first."""
        self._do(lambda: environment.remove(self._home))

    def cancel(self) -> None:
        """Stop what is under way; it tells its end like any other."""
        self._cancelled.set()

    def _create(self, python: str, plan: Plan | None) -> Chosen:
        base = python or environment.fitting(self._environ, self._own_folder)
        what = plan or environment_making.plan(environment_making.checkout_of())
        return environment_making.create(self._home, base, what, self._tell, self._cancelled, self._environ)

    def _do(self, work: Callable[[], Chosen | None]) -> None:
        if self.busy:
            self._tell(EnvironmentProblem(environment.Reason.AT_WORK, "the environment is being worked on: wait, or cancel"))
            return
        self._cancelled.clear()
        self.busy = True
        threading.Thread(target=self._work, args=(work,), name="medsynth-environment", daemon=True).start()

    def _work(self, work: Callable[[], Chosen | None]) -> None:
        try:
            news: Chosen | MedSynthError | None = work()
        except MedSynthError as problem:
            news = problem
        except Exception as problem:
            log.exception("the environment could not be worked on")
            news = MedSynthError(f"the panel met an error of its own: {type(problem).__name__}")
        self._post(lambda: self._end(news))

    def _end(self, news: Chosen | MedSynthError | None) -> None:
        self.busy = False
        self._told(news)

    def _tell(self, news: Step | Chosen | MedSynthError | None) -> None:
        self._post(lambda: self._told(news))
