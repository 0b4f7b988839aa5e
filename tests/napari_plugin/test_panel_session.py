"""The session without Qt: who is told what, from which thread, and what ends when."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("napari")

from medsynth_core.engine_view import EngineView, view_of
from medsynth_core.errors import MedSynthError, ServiceUnavailableError
from medsynth_core.lamp import Lamp
from medsynth_core.protocol import Capabilities, DeviceInfo, ServiceStatus, WorkerState
from medsynth_core.run import Ending, Made, Run, RunProgress, RunRequest
from medsynth_core.session import Session
from medsynth_core.volume import Volume
from tests.scripted import DEVICE, Script, ScriptedClient

MASK = Volume(np.ones((1, 1, 8, 8), np.uint8))


class Ear:
    """A listener that writes down what it hears; calls wait in a queue until `hear`, as on a viewer's thread."""

    def __init__(self) -> None:
        self.calls: queue.Queue[Callable[[], None]] = queue.Queue()
        self.views: list[EngineView] = []
        self.capabilities: list[Capabilities] = []
        self.troubles: list[MedSynthError] = []
        self.progress: list[RunProgress] = []
        self.made: list[Made] = []
        self.endings: list[tuple[Ending, MedSynthError | None]] = []
        self.threads: set[str] = set()

    def engine_changed(self, view: EngineView) -> None:
        self.views.append(view)
        self.threads.add(threading.current_thread().name)

    def capabilities_changed(self, capabilities: Capabilities) -> None:
        self.capabilities.append(capabilities)

    def trouble(self, problem: MedSynthError) -> None:
        self.troubles.append(problem)

    def run_progressed(self, run: Run, progress: RunProgress) -> None:
        self.progress.append(progress)

    def run_made(self, run: Run, made: Made) -> None:
        self.made.append(made)

    def run_ended(self, run: Run, ending: Ending, problem: MedSynthError | None) -> None:
        self.endings.append((ending, problem))

    def hear(self, until: Callable[[], bool], seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < deadline, "not heard in time"
            try:
                self.calls.get(timeout=0.05)()
            except queue.Empty:
                continue


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def session(ear: Ear, script: Script) -> Iterator[Session]:
    session = Session(ear, ear.calls.put, lambda: ScriptedClient(script))  # type: ignore[arg-type, return-value]
    yield session
    session.close()


def request(*seeds: int) -> RunRequest:
    return RunRequest("synthesize", "brain-slice", {"mask": MASK}, seeds or (7,), {"steps": 4})


def test_opening_tells_the_engine_and_what_there_is(session: Session, ear: Ear) -> None:
    session.open()
    ear.hear(lambda: bool(ear.capabilities) and ear.views[-1].lamp is Lamp.GREEN)
    assert ear.views[0].text == "Starting…"
    assert ear.threads == {threading.current_thread().name}


def test_a_run_gives_one_image_a_seed_in_order(session: Session, ear: Ear, script: Script) -> None:
    session.run(request(3, 4, 5))
    ear.hear(lambda: bool(ear.endings))
    assert [made.seed for made in ear.made] == [3, 4, 5]
    assert ear.endings == [(Ending.DONE, None)]
    shares = [progress.share for progress in ear.progress]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert not np.array_equal(ear.made[0].volume.array, ear.made[1].volume.array) or (MASK.array > 0).all()


def test_starting_a_run_never_waits(ear: Ear, script: Script) -> None:
    slow = threading.Event()

    def connect() -> ScriptedClient:
        slow.wait(2)
        return ScriptedClient(script)

    session = Session(ear, ear.calls.put, connect)  # type: ignore[arg-type]
    began = time.monotonic()
    run = session.run(request())
    run.cancel()
    assert time.monotonic() - began < 0.05
    slow.set()
    ear.hear(lambda: bool(ear.endings))
    assert ear.endings[0][0] is Ending.CANCELLED
    assert script.submitted == []
    session.close()


def test_cancel_ends_all_jobs_of_the_run(session: Session, ear: Ear, script: Script) -> None:
    script.job_seconds = 30
    run = session.run(request(1, 2))
    ear.hear(lambda: len(script.submitted) == 2 and bool(ear.progress))
    began = time.monotonic()
    run.cancel()
    ear.hear(lambda: bool(ear.endings))
    assert time.monotonic() - began < 1
    assert ear.endings[0][0] is Ending.CANCELLED
    assert ear.made == []


def test_a_failure_is_told_with_its_error(session: Session, ear: Ear, script: Script) -> None:
    script.fails_with = "worker_died"
    session.run(request())
    ear.hear(lambda: bool(ear.endings))
    ending, problem = ear.endings[0]
    assert ending is Ending.FAILED
    assert problem is not None
    assert problem.code == "worker_died"


def test_after_close_nothing_is_told_and_all_threads_end(ear: Ear, script: Script) -> None:
    script.job_seconds = 0.3
    clients: list[ScriptedClient] = []

    def connect() -> ScriptedClient:
        clients.append(ScriptedClient(script))
        return clients[-1]

    session = Session(ear, ear.calls.put, connect)  # type: ignore[arg-type]
    session.open()
    session.run(request())
    ear.hear(lambda: bool(ear.progress))
    heard = len(ear.progress) + len(ear.views)
    session.close()
    deadline = time.monotonic() + 3
    while any(t.name.startswith("medsynth-") for t in threading.enumerate()):
        assert time.monotonic() < deadline, "threads are left"
        time.sleep(0.01)
    while not ear.calls.empty():
        ear.calls.get()()
    assert len(ear.progress) + len(ear.views) == heard
    assert ear.endings == []
    assert clients[0].closed.is_set()


def test_a_service_that_cannot_be_reached_is_red_and_a_run_says_why(ear: Ear) -> None:
    def connect() -> ScriptedClient:
        raise ServiceUnavailableError("the service needs torch, not installed here")

    session = Session(ear, ear.calls.put, connect)  # type: ignore[arg-type]
    session.open()
    ear.hear(lambda: bool(ear.views) and ear.views[-1].lamp is Lamp.RED)
    assert "torch" in ear.views[-1].detail
    session.run(request())
    ear.hear(lambda: bool(ear.endings))
    assert "torch" in str(ear.endings[0][1])
    session.close()


def test_two_threads_that_need_the_service_connect_once(ear: Ear, script: Script) -> None:
    made = []

    def connect() -> ScriptedClient:
        time.sleep(0.1)
        made.append(ScriptedClient(script))
        return made[-1]

    session = Session(ear, ear.calls.put, connect)  # type: ignore[arg-type]
    session.open()
    for _ in range(5):
        session.run(request())
    ear.hear(lambda: len(ear.endings) == 5)
    assert len(made) == 1
    session.close()


def test_stop_asks_the_service_and_the_pill_goes_dark(session: Session, ear: Ear, script: Script) -> None:
    session.open()
    ear.hear(lambda: bool(ear.views) and ear.views[-1].lamp is Lamp.GREEN)
    session.stop_engine()
    ear.hear(lambda: ear.views[-1].lamp is Lamp.OFF)
    assert "shutdown" in script.calls


def test_the_form_is_told_of_new_models_and_not_of_free_memory(
    session: Session, ear: Ear, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medsynth_core.session.REFRESH_SECONDS", 0.0)
    session.open()
    ear.hear(lambda: bool(ear.capabilities))
    asked = script.calls.count("capabilities")
    script.device = replace(DEVICE, memory_free=1)
    ear.hear(lambda: script.calls.count("capabilities") > asked + 2)
    assert len(ear.capabilities) == 1
    script.models = script.models[:1]
    ear.hear(lambda: len(ear.capabilities) == 2)
    assert len(ear.capabilities[1].models) == 1


def test_trouble_of_an_errand_is_told(session: Session, ear: Ear) -> None:
    session.preload("unheard-of")
    ear.hear(lambda: bool(ear.troubles))
    assert ear.troubles[0].code == "not_found"


@pytest.mark.parametrize(
    ("worker", "lamp"),
    [
        (WorkerState.READY, Lamp.GREEN),
        (WorkerState.BUSY, Lamp.GREEN),
        (WorkerState.STARTING, Lamp.AMBER),
        (WorkerState.RESTARTING, Lamp.RED),
        (WorkerState.DOWN, Lamp.RED),
    ],
)
def test_the_pill_has_a_lamp_for_every_state(worker: WorkerState, lamp: Lamp) -> None:
    assert view_of(ServiceStatus("x", worker, DEVICE)).lamp is lamp


def test_the_pill_names_device_memory_and_clients() -> None:
    gpu = DeviceInfo("NVIDIA RTX", "cuda", 24 * 2**30, int(18.2 * 2**30))
    assert view_of(ServiceStatus("x", WorkerState.READY, gpu, clients=2)).text == "Ready · NVIDIA RTX · 18.2/24 GB · 2 clients"
    assert view_of(ServiceStatus("x", WorkerState.READY, DeviceInfo("cpu", "cpu"))).text == "Ready · cpu"
    assert view_of(ServiceStatus("x", WorkerState.READY)).text == "Ready"
