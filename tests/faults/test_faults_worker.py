"""The worker is killed, crashes, hangs and floods; jobs come through whole."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medsynth_core.engines.fake import slice_pixels
from tests.running import RunningService, is_alive, wait_for

Start = Callable[..., RunningService]


def expected(seed: int, slices: int) -> np.ndarray:
    return np.stack([slice_pixels(seed, z, 32)[0] for z in range(slices)])[None]


def chunk_times(service: RunningService, job: str) -> dict[str, int]:
    """Return when each chunk on disk was written."""
    chunks = (service.home / "jobs" / job / "image.zarr" / "c").rglob("0/*/0/0")
    return {str(chunk): chunk.stat().st_mtime_ns for chunk in chunks}


def test_a_killed_worker_is_seen_replaced_and_its_job_goes_on(shared_service: RunningService) -> None:
    job = shared_service.submit(seed=3, slices=60, delay_ms=20)
    shared_service.wait_slices(job, 10)
    killed_at = time.monotonic()
    pid = shared_service.kill_worker()
    wait_for(lambda: shared_service.status()["worker"] == "restarting" or shared_service.job(job)["retries"] == 1, 3)
    assert time.monotonic() - killed_at < 3
    kept = chunk_times(shared_service, job)
    after = shared_service.events(job)[-1]["number"]
    shared_service.wait_event(job, lambda event: event["number"] > after and event["kind"] == "slice")
    assert time.monotonic() - killed_at < 5
    ended = shared_service.wait_ended(job)
    assert (ended["state"], ended["retries"], ended["slices_done"]) == ("done", 1, 60)
    assert np.array_equal(shared_service.result(job), expected(3, 60))
    again = chunk_times(shared_service, job)
    assert all(again[chunk] == when for chunk, when in kept.items()), "a kept slice was written again"
    assert shared_service.worker_pid() != pid


def test_the_status_shows_that_the_worker_restarts(shared_service: RunningService) -> None:
    shared_service.wait_ready()
    seen = set()
    shared_service.kill_worker()
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline and "restarting" not in seen:
        status = shared_service.status()
        seen.add(status["worker"])
    assert "restarting" in seen
    assert "another one is starting" in status["message"]
    wait_for(lambda: shared_service.status()["worker"] == "ready", 10)
    assert shared_service.status()["message"] == ""


def kill_at_random(service: RunningService, rounds: int, seed: int) -> None:
    """Kill the worker at a random moment of each of `rounds` jobs; each must end whole."""
    chance = random.Random(seed)
    for number in range(rounds):
        job = service.submit(seed=number, slices=25, delay_ms=4)
        time.sleep(chance.uniform(0, 0.25))
        service.kill_worker()
        ended = service.wait_ended(job)
        assert ended["state"] == "done", ended
        assert np.array_equal(service.result(job), expected(number, 25)), number
        assert [event["number"] for event in service.events(job)] == list(range(1, len(service.events(job)) + 1))


def test_ten_kills_at_random_moments_lose_nothing(shared_service: RunningService) -> None:
    shared_service.wait_ready()
    kill_at_random(shared_service, 10, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_kills_at_random_moments_lose_nothing(start_service: Start) -> None:
    service = start_service(idle_seconds=600)
    service.wait_ready()
    kill_at_random(service, 100, seed=2)


def test_a_slice_damaged_on_disk_is_made_again_on_resume(shared_service: RunningService) -> None:
    job = shared_service.submit(seed=6, slices=40, delay_ms=20)
    shared_service.wait_slices(job, 5)
    shared_service.ask("POST", f"/v1/jobs/{job}/cancel")
    shared_service.wait_ended(job)
    root = shared_service.home / "jobs" / job / "image.zarr/c/0"
    (root / "1/0/0").write_bytes(bytes(1024))
    (root / "2/0/0").write_bytes(b"cut")
    (root / "3/0/0").unlink()
    shared_service.ask("POST", f"/v1/jobs/{job}/resume")
    wait_for(lambda: shared_service.job(job)["state"] == "done", 20)
    assert np.array_equal(shared_service.result(job), expected(6, 40))


@pytest.mark.parametrize("fault", ["crash", "segfault"])
def test_an_engine_that_takes_the_process_down_once_is_tried_again(shared_service: RunningService, fault: str) -> None:
    job = shared_service.submit(seed=8, slices=6, fault=fault, fault_at=3)
    ended = shared_service.wait_ended(job)
    assert (ended["state"], ended["retries"]) == ("done", 1)
    assert np.array_equal(shared_service.result(job), expected(8, 6))


def test_a_job_that_always_kills_its_worker_fails_after_two_retries_and_the_next_runs(shared_service: RunningService) -> None:
    bad, good = shared_service.submit(fault="crash", fault_at=2, fault_times=99), shared_service.submit(seed=1, slices=2)
    ended = shared_service.wait_ended(bad)
    assert (ended["state"], ended["error_code"], ended["retries"], ended["slices_done"]) == ("failed", "worker_died", 2, 2)
    assert shared_service.wait_ended(good)["state"] == "done"


def test_a_hanging_engine_is_seen_and_the_job_tried_again(start_service: Start) -> None:
    service = start_service(hang_seconds=1.5)
    job = service.submit(seed=4, slices=4, fault="hang", fault_at=2)
    asked = time.monotonic()
    ended = service.wait_ended(job)
    assert time.monotonic() - asked < 8
    assert (ended["state"], ended["retries"]) == ("done", 1)
    assert np.array_equal(service.result(job), expected(4, 4))


def test_an_engine_that_does_not_yield_is_killed_on_cancel_within_five_seconds(shared_service: RunningService) -> None:
    job = shared_service.submit(slices=4, fault="hang", fault_at=2, fault_times=99)
    shared_service.wait_slices(job, 2)
    asked = time.monotonic()
    assert shared_service.ask("POST", f"/v1/jobs/{job}/cancel")[1]["state"] == "cancelling"
    ended = shared_service.wait_ended(job)
    assert time.monotonic() - asked < 5
    assert (ended["state"], ended["slices_done"]) == ("cancelled", 2)
    assert shared_service.wait_ended(shared_service.submit(slices=1))["state"] == "done"


def test_a_flood_on_stdout_and_of_progress_reaches_nobody(service: RunningService) -> None:
    job = service.submit(slices=2, fault="flood")
    ended = service.wait_ended(job)
    assert ended["state"] == "done"
    assert len(service.events(job)) < 60
    assert sum(path.stat().st_size for path in (service.home / "logs").iterdir()) < 100_000
    assert (service.home / "stderr.txt").read_text() == ""


def test_another_clients_job_is_unharmed_by_a_crash(shared_service: RunningService) -> None:
    first = shared_service.submit(seed=1, slices=3)
    shared_service.submit(fault="segfault", fault_times=99)
    last = shared_service.submit(seed=2, slices=3)
    for job, seed in ((first, 1), (last, 2)):
        assert shared_service.wait_ended(job)["state"] == "done"
        assert np.array_equal(shared_service.result(job), expected(seed, 3))


def test_a_worker_that_cannot_even_start_is_tried_again_ever_slower_and_the_service_stays(
    start_service: Start, home: Path
) -> None:
    (home / "logs" / "worker-crash.log").mkdir(parents=True)  # the worker cannot open its log, so each one dies at once
    service = start_service()
    wait_for(lambda: service.status()["worker"] in ("restarting", "down"), 10)
    assert "another one is starting" in service.status()["message"]
    assert service.raw("GET", "/healthz")[0] == 200
    (home / "logs" / "worker-crash.log").rmdir()
    assert service.wait_ended(service.submit(slices=1))["state"] == "done"


def test_the_worker_ends_when_the_service_is_killed(service: RunningService) -> None:
    service.submit(slices=100, fault="hang", fault_times=99)
    wait_for(lambda: service.status()["worker"] == "busy", 10)
    pid = service.worker_pid()
    service.kill()
    wait_for(lambda: not is_alive(pid), 5)
