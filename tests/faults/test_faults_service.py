"""The service itself is killed, stopped, left alone and started twice."""

from __future__ import annotations

import concurrent.futures
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medsynth_core.engines.fake import slice_pixels
from medsynth_core.launcher import clean_environment
from tests.running import RunningService, is_alive, wait_for

Start = Callable[..., RunningService]


def expected(seed: int, slices: int) -> np.ndarray:
    return np.stack([slice_pixels(seed, z, 32)[0] for z in range(slices)])[None]


def test_a_killed_service_loses_no_job_and_doubles_none(service: RunningService) -> None:
    keys = [uuid.uuid4().hex for _ in range(6)]
    jobs = [service.submit(key, seed=n, slices=12, delay_ms=10) for n, key in enumerate(keys)]
    service.wait_slices(jobs[0], 3)
    service.kill()
    service.start()
    assert [service.submit(key, seed=n, slices=12, delay_ms=10) for n, key in enumerate(keys)] == jobs
    for n, job in enumerate(jobs):
        service.wait_ended(job)
        assert np.array_equal(service.result(job), expected(n, 12))
        numbers = [event["number"] for event in service.events(job)]
        assert numbers == list(range(1, len(numbers) + 1))
    assert len(service.ask("GET", "/v1/jobs")[1]["jobs"]) == 6


def kill_service_at_random(service: RunningService, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    jobs: dict[str, int] = {}
    for number in range(rounds):
        jobs[service.submit(seed=number, slices=20, delay_ms=5)] = number
        time.sleep(chance.uniform(0, 0.4))
        service.kill()
        service.start()
    for job, number in jobs.items():
        service.wait_ended(job, 60)
        assert np.array_equal(service.result(job), expected(number, 20))
    assert len(service.ask("GET", "/v1/jobs")[1]["jobs"]) == rounds


def test_kills_of_the_service_at_random_moments_lose_nothing(service: RunningService) -> None:
    kill_service_at_random(service, 4, seed=3)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_hundred_kills_of_the_service_lose_nothing(start_service: Start) -> None:
    kill_service_at_random(start_service(idle_seconds=600), 100, seed=4)


def test_a_cancel_asked_for_before_the_kill_holds_after_it(service: RunningService) -> None:
    job = service.submit(slices=100, fault="hang", fault_times=99)
    wait_for(lambda: service.job(job)["state"] == "running", 10)
    service.ask("POST", f"/v1/jobs/{job}/cancel")
    service.kill()
    service.start()
    assert service.job(job)["state"] == "cancelled"


def test_what_killed_writers_left_is_swept_at_the_start(service: RunningService) -> None:
    service.kill()
    left = service.home / "arrays" / "ab" / "x.partial"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    service.start()
    assert not left.exists()


def test_sigterm_ends_it_and_the_job_goes_on_at_the_next_start(service: RunningService) -> None:
    job = service.submit(seed=5, slices=100, delay_ms=10)
    service.wait_slices(job, 3)
    pid = service.worker_pid()
    asked = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(6) == 0
    assert time.monotonic() - asked < 5
    assert not is_alive(pid)
    assert not (service.home / "connection.json").exists()
    service.start()
    service.wait_ended(job)
    assert np.array_equal(service.result(job), expected(5, 100))
    assert service.job(job)["retries"] == 0


def test_sigterm_does_not_wait_for_those_who_wait(service: RunningService) -> None:
    job = service.submit(slices=1, fault="hang", fault_times=99)
    after = service.events(job)[-1]["number"]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(service.events, job, after + 50, 25)
        time.sleep(0.3)
        service.process.send_signal(signal.SIGTERM)
        assert waiting.result(5) == []
    assert service.process.wait(6) == 0


def test_shutdown_is_refused_while_there_are_jobs_unless_forced(service: RunningService) -> None:
    job = service.submit(slices=200, delay_ms=10)
    status, problem = service.ask("POST", "/v1/shutdown", {"force": False})
    assert (status, problem["code"]) == (409, "service_error")
    assert service.ask("POST", "/v1/shutdown", {"force": True})[0] == 200
    assert service.process.wait(6) == 0
    service.start()
    assert service.job(job)["state"] in ("queued", "running")


def test_shutdown_without_jobs_ends_it(service: RunningService) -> None:
    assert service.ask("POST", "/v1/shutdown", {})[0] == 200
    assert service.process.wait(6) == 0


def test_left_alone_it_ends_itself_and_leaves_no_orphan(start_service: Start) -> None:
    service = start_service(idle_seconds=1)
    service.wait_ready()
    pid = service.worker_pid()
    assert service.process.wait(5) == 0
    assert not is_alive(pid)
    assert not (service.home / "connection.json").exists()


def test_a_lease_keeps_it_and_an_expired_one_does_not(start_service: Start) -> None:
    service = start_service(idle_seconds=0.5, lease_seconds=1)
    lease = service.ask("POST", "/v1/clients/lease", {"name": "test"})[1]["lease"]
    for _ in range(6):
        time.sleep(0.4)
        assert service.ask("POST", "/v1/clients/heartbeat", {"lease": lease})[0] == 200
    assert service.status()["clients"] == 1
    assert service.process.wait(5) == 0


def test_a_released_lease_lets_it_end(start_service: Start) -> None:
    service = start_service(idle_seconds=0.5)
    lease = service.ask("POST", "/v1/clients/lease", {"name": "test"})[1]["lease"]
    time.sleep(1)
    assert service.ask("POST", "/v1/clients/release", {"lease": lease})[0] == 200
    assert service.process.wait(5) == 0


def test_a_running_job_outlives_the_idle_time(start_service: Start) -> None:
    service = start_service(idle_seconds=0.5)
    job = service.submit(slices=30, delay_ms=100)
    service.wait_slices(job, 1)
    time.sleep(1.2)
    assert service.job(job)["state"] == "running"
    assert service.process.wait(15) == 0


def test_an_unknown_lease_is_not_found(service: RunningService) -> None:
    status, problem = service.ask("POST", "/v1/clients/heartbeat", {"lease": "nobody"})
    assert (status, problem["code"]) == (404, "not_found")


def test_a_second_service_on_the_folder_leaves_the_first_alone(service: RunningService) -> None:
    command = [sys.executable, "-P", *service.process.args[2:]]  # type: ignore[index]

    assert subprocess.run(command, env=clean_environment(os.environ), timeout=20).returncode == 0
    assert json.loads((service.home / "connection.json").read_text())["instance"] == service.instance
    assert service.status()["instance"] == service.instance


def test_it_answers_within_a_second_and_a_half(home: Path) -> None:
    spans = []
    for _ in range(3):
        started = time.monotonic()
        service = RunningService(home)
        spans.append(time.monotonic() - started)
        service.kill()
    assert min(spans) < 1.5, spans


def test_the_service_process_loads_no_torch(service: RunningService) -> None:
    service.wait_ended(service.submit(slices=1))
    maps = Path(f"/proc/{service.process.pid}/maps").read_text()
    assert "libtorch" not in maps
    assert "numpy" in maps


def test_a_journal_of_a_newer_version_is_refused_with_a_sentence(service: RunningService) -> None:
    service.kill()
    with sqlite3.connect(service.home / "journal.sqlite3") as journal:
        assert journal.execute("PRAGMA user_version").fetchone()[0] == 1
        journal.execute("PRAGMA user_version = 999")
    journal.close()
    with pytest.raises(AssertionError, match=r"schema 999.*\s*.*update MedSynth"):
        service.start()


def test_unknown_settings_and_wrong_values_are_refused_with_a_sentence(home: Path) -> None:
    with pytest.raises(AssertionError, match="--colour"):
        RunningService(home, colour="red")
    with pytest.raises(AssertionError, match="idle_seconds is 'soon'"):
        RunningService(home, idle_seconds="soon")


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_thousand_submissions_at_once_give_a_thousand_jobs(service: RunningService) -> None:
    keys = [uuid.uuid4().hex for _ in range(1000)]
    service.wait_ready()

    def submit(key: str) -> str:
        return service.submit(key, slices=1, size=4)

    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        jobs = list(pool.map(submit, keys))
    assert time.monotonic() - started < 15
    assert len(set(jobs)) == 1000
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        assert list(pool.map(submit, keys)) == jobs
