"""Fixtures for all tests: a state folder of their own, and a real service with the fake engine."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.running import RunningService

os.environ.setdefault("OMP_NUM_THREADS", "2")  # spinning threads of one test slow all others on a busy machine
hypothesis.settings.register_profile("house", deadline=None)  # a busy machine is no finding
hypothesis.settings.load_profile("house")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background: programs that tests start would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

SETTINGS = {"MEDSYNTH_FAKE_ENGINE": "1", "MEDSYNTH_WARM_SECONDS": "3600", "MEDSYNTH_IDLE_SECONDS": "30"}
"""The fake engine needs no torch, so nothing warms up; a service that a test forgot ends itself."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of the test's own; the user's is never touched."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("MEDSYNTH_HOME", str(folder))
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    return folder


@pytest.fixture
def start_service(home: Path) -> Iterator[Callable[..., RunningService]]:
    """Start services with settings, such as start_service(idle_seconds=1); all are killed afterwards."""
    started: list[RunningService] = []

    def start(folder: Path = home, **options: object) -> RunningService:
        started.append(RunningService(folder, **options))
        return started[-1]

    yield start
    for service in started:
        service.kill()


@pytest.fixture
def service(start_service: Callable[..., RunningService]) -> RunningService:
    """A running service of the test's own."""
    return start_service()


@pytest.fixture(scope="module")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A running service for all tests of a file that leave it whole."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        patch.setenv("MEDSYNTH_IDLE_SECONDS", "600")
        folder = tmp_path_factory.mktemp("shared")
        service = RunningService(folder)
        yield service
        service.kill()
