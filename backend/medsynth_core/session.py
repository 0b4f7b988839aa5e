"""A viewer's side of the service: who is connected, how the engine is, which run is under way. No Qt.

Everything that may wait runs on daemon threads; what they find out is brought to the viewer's thread by `post` and told to the
listener. After `close` nothing is told any more, and the threads end as soon as their connections break.

Lock: `_lock` guards `_client`, `_wanted`; it is never held while anything waits.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, TypeVar

from medsynth_core import engine_view
from medsynth_core.client import Client
from medsynth_core.engine_view import EngineView
from medsynth_core.errors import MedSynthError, ServiceUnavailableError
from medsynth_core.lamp import Lamp
from medsynth_core.protocol import Capabilities, ServiceStatus, WorkerState
from medsynth_core.run import Run, RunListener, RunRequest
from medsynth_core.sentences import sentence

log = logging.getLogger(__name__)
AnswerT = TypeVar("AnswerT")
POLL_SECONDS = 0.3
REFRESH_SECONDS = 10.0
RED_SECONDS = 2.0
"""A restart of the worker may take less than a glance: red stays at least this long."""


class Listener(RunListener, Protocol):
    """Who is told what the session finds out, on the viewer's thread."""

    def engine_changed(self, view: EngineView) -> None:
        """The pill has something new to say."""

    def capabilities_changed(self, capabilities: Capabilities) -> None:
        """Engines, models or the device are known, or changed."""

    def trouble(self, problem: MedSynthError) -> None:
        """Something the user asked of the engine did not work."""


class Session:
    """One viewer's connection.

    `post` runs a call on the viewer's thread, later; `connect` opens a client, and may start the service.
    """

    def __init__(
        self,
        listener: Listener,
        post: Callable[[Callable[[], None]], None],
        connect: Callable[[], Client],
    ) -> None:
        self._listener: Listener | None = listener
        self._post, self._connect = post, connect
        self._lock = threading.Lock()
        self._connecting = threading.Lock()
        self._client: Client | None = None
        self._wanted = True
        self._wake, self._closed = threading.Event(), threading.Event()
        self._view: EngineView | None = None
        self._red_until = 0.0
        self._known: Capabilities | None = None
        self._refreshed = 0.0
        self.status: ServiceStatus | None = None

    def open(self) -> None:
        """Connect, and watch the engine from now on."""
        self._spawn(self._watch, "watch")

    def close(self) -> None:
        """Tell nobody anything any more and let go of the service; jobs under way go on, their results stay in the history."""
        self._listener = None
        self._closed.set()
        self._wake.set()
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            threading.Thread(target=client.close, name="medsynth-close", daemon=True).start()

    def run(self, request: RunRequest) -> Run:
        """Start a run and return it at once."""
        self._want(True)
        run = Run(self._connected, request, self._tell, lambda: self._show(engine_view.RESTARTING))
        run.start()
        return run

    def start_engine(self) -> None:
        """Start the service if none runs."""
        self._want(True)
        self._errand(lambda: self._learn(self._connected()))

    def stop_engine(self, force: bool = False) -> None:
        """End the service for all its clients; the service refuses while it has jobs, unless forced."""
        self._show(engine_view.STOPPING)
        self._errand(lambda: self._stop(force))

    def free_memory(self) -> None:
        """Let the worker drop the models it holds."""
        loaded = self.status.loaded_models if self.status else ()
        self._errand(lambda: [self._connected().unload_model(model) for model in loaded])

    def preload(self, model: str) -> None:
        """Load a model ahead of the first click, so that the first image is as quick as the next."""
        self._errand(lambda: self._connected().load_model(model))

    def ask(
        self,
        question: Callable[[Client], AnswerT],
        told: Callable[[AnswerT], None],
        failed: Callable[[MedSynthError], None] | None = None,
    ) -> None:
        """Ask the service something; `told` gets the answer on the viewer's thread, `failed` what went wrong.

        Without `failed`, what goes wrong is told as trouble.
        """
        self._errand(lambda: self._answer(question, told, failed))

    def _answer(
        self,
        question: Callable[[Client], AnswerT],
        told: Callable[[AnswerT], None],
        failed: Callable[[MedSynthError], None] | None,
    ) -> None:
        try:
            answer = question(self._connected())
        except MedSynthError as caught:
            if failed is None:
                raise
            problem, tell = caught, failed
            self._tell(lambda _: tell(problem))
            return
        self._tell(lambda _: told(answer))

    def _stop(self, force: bool) -> None:
        self._connected().shutdown(force)
        self._want(False)

    def _want(self, wanted: bool) -> None:
        with self._lock:
            self._wanted = wanted
        self._wake.set()

    def _connected(self) -> Client:
        """Return the client, connected. May wait while the service starts; one thread connects, the others wait for it."""
        with self._connecting:
            if self._client is None:
                self._show(engine_view.STARTING)
                client = self._connect()
                with self._lock:
                    closed = self._closed.is_set()
                    self._client = None if closed else client
                if closed:
                    client.close()
                    raise ServiceUnavailableError("the panel was closed")
                return client
            return self._client

    def _watch(self) -> None:
        while not self._closed.is_set():
            self._wake.clear()
            if self._wanted:
                self._look()
            else:
                self.status = None
                self._show(engine_view.STOPPED)
            self._wake.wait(POLL_SECONDS)

    def _look(self) -> None:
        try:
            client = self._connected()
            status = client.status()
        except ServiceUnavailableError as problem:
            self.status = None
            self._show(engine_view.away(sentence(problem)))
            return
        except MedSynthError as problem:
            self._show(EngineView(Lamp.RED, "Problem", sentence(problem), False))
            return
        except Exception:
            log.exception("looking at the engine failed")
            self._show(engine_view.away("The panel could not ask the engine"))
            return
        self.status = status
        self._show(engine_view.view_of(status))
        self._refresh(client, status)

    def _refresh(self, client: Client, status: ServiceStatus) -> None:
        """Ask what there is, when the service is new, was not ready, or the last answer is old (models may have been added)."""
        if status.worker not in (WorkerState.READY, WorkerState.BUSY):
            return
        fresh = time.monotonic() - self._refreshed < REFRESH_SECONDS
        if self._known is None or self._known.instance != status.instance or not self._known.ready or not fresh:
            self._refreshed = time.monotonic()
            self._errand(lambda: self._learn(client))

    def _learn(self, client: Client) -> None:
        capabilities, before = client.capabilities(), self._known
        self._known = capabilities
        if before is None or _offer(before) != _offer(capabilities):
            self._tell(lambda to: to.capabilities_changed(capabilities))

    def _show(self, view: EngineView) -> None:
        now = time.monotonic()
        if view.running and view.lamp is not Lamp.RED and now < self._red_until:
            return
        if view.lamp is Lamp.RED:
            self._red_until = now + RED_SECONDS
        if view != self._view:
            self._view = view
            self._tell(lambda to: to.engine_changed(view))

    def _errand(self, errand: Callable[[], object]) -> None:
        self._spawn(lambda: self._attempt(errand), "errand")

    def _attempt(self, errand: Callable[[], object]) -> None:
        try:
            errand()
        except MedSynthError as caught:
            problem = caught
            self._tell(lambda to: to.trouble(problem))
        except Exception:
            log.exception("an errand failed")

    def _spawn(self, work: Callable[[], None], name: str) -> None:
        threading.Thread(target=work, name=f"medsynth-{name}", daemon=True).start()

    def _tell(self, call: Callable[[Listener], None]) -> None:
        if not self._closed.is_set():
            self._post(lambda: self._deliver(call))

    def _deliver(self, call: Callable[[Listener], None]) -> None:
        if self._listener is not None:
            call(self._listener)


def _offer(capabilities: Capabilities) -> Capabilities:
    """Return what the form depends on: free memory and the number of clients change all the time."""
    return replace(capabilities, device=None, clients=0)
