"""A tumor volume under way in the real service: its worker is killed, it is cancelled and goes on; the bytes never differ."""

from __future__ import annotations

import hashlib
import random
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.running import RunningService
from tests.toy_tumor import CARD, write_tumor_model

OUTPUTS = ("image", "mask", "latents", "clean_latents")
SLICES = 16
LONG = 300.0
"""Seconds; a worker loads torch at each start, and the machine may be busy."""
TOLD = 6 * SLICES
"""Slices told of a whole job: image and mask twice, both latents once."""


@pytest.fixture(scope="module")
def tumor_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service with the toy model installed; a worker may die as often as it likes."""
    home = tmp_path_factory.mktemp("tumor-home")
    (home / "models").mkdir()
    write_tumor_model(home / "models" / CARD.id)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"FAKE_ENGINE": "1", "WARM_SECONDS": "0", "IDLE_SECONDS": "900", "RETRIES": "99"}.items():
            patch.setenv(f"MEDSYNTH_{name}", value)
        service = RunningService(home)
        service.wait_ready()
        yield service
        service.kill()


@pytest.fixture(scope="module")
def expected(tumor_service: RunningService) -> dict[str, str]:
    """The hashes of an undisturbed volume."""
    job = submit(tumor_service)
    made = hashes(tumor_service, job)
    assert sum(1 for event in tumor_service.events(job) if event["kind"] == "slice") == TOLD
    return made


def submit(service: RunningService, **params: Any) -> str:
    """Submit a volume with a second pass and return the job."""
    asked = {"slices": SLICES, "anchor": 9, "steps": 2, "guidance": 1.5, "cleanup": True} | params
    request = {"engine": "tumor", "model": CARD.id, "inputs": {}, "seed": 11, "params": asked}
    status, job = service.ask("POST", "/v1/jobs", request, Idempotency_Key=uuid.uuid4().hex)
    assert status == 201, job
    return str(job["id"])


def hashes(service: RunningService, job: str) -> dict[str, str]:
    """Return the sha256 of each whole output of a job that is done."""
    assert service.wait_ended(job, LONG)["state"] == "done", service.job(job)
    answers = {name: service.ask("GET", f"/v1/jobs/{job}/result?output={name}") for name in OUTPUTS}
    assert {status for status, _ in answers.values()} == {200}
    return {name: hashlib.sha256(content).hexdigest() for name, (_, content) in answers.items()}


def chunks_sound(home: Path, job: str) -> bool:
    """Return whether no half-written file is left."""
    return not list((home / "jobs" / job).rglob("*.partial"))


def wait_written(service: RunningService, job: str, count: int) -> None:
    """Wait until so many slices, replaced ones counted again, were told, or the job has ended."""
    after, seen = 0, 0
    while seen < count:
        for event in service.events(job, after, 5):
            after = event["number"]
            seen += event["kind"] == "slice"
            if event["state"] in ("done", "failed"):
                return


def test_killed_in_both_passes_it_comes_to_the_same_bytes(tumor_service: RunningService, expected: dict[str, str]) -> None:
    job = submit(tumor_service)
    for share in (0.2, 0.75):
        wait_written(tumor_service, job, int(share * TOLD))
        tumor_service.kill_worker()
    assert hashes(tumor_service, job) == expected
    assert tumor_service.job(job)["retries"] == 2
    assert chunks_sound(tumor_service.home, job)


def test_cancelled_it_keeps_its_slices_and_resumed_it_comes_to_the_same_bytes(
    tumor_service: RunningService, expected: dict[str, str]
) -> None:
    job = submit(tumor_service)
    wait_written(tumor_service, job, 20)
    tumor_service.ask("POST", f"/v1/jobs/{job}/cancel")
    ended = tumor_service.wait_ended(job, LONG)
    assert ended["state"] == "cancelled"
    assert 20 <= ended["slices_done"] < 4 * SLICES
    assert tumor_service.ask("GET", f"/v1/jobs/{job}/slices/9?output=image")[0] == 200
    assert tumor_service.ask("POST", f"/v1/jobs/{job}/resume")[0] == 200
    tumor_service.wait_event(job, lambda event: event["state"] == "done", LONG)
    assert hashes(tumor_service, job) == expected


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_twenty_kills_at_random_moments_change_no_byte(tumor_service: RunningService, expected: dict[str, str]) -> None:
    chance, kills = random.Random(20), 0
    while kills < 20:
        job = submit(tumor_service)
        for share in sorted(chance.random() for _ in range(4)):
            wait_written(tumor_service, job, int(share * TOLD))
            time.sleep(chance.uniform(0, 0.05))
            tumor_service.kill_worker()
            kills += 1
        assert hashes(tumor_service, job) == expected, kills
        assert chunks_sound(tumor_service.home, job)
