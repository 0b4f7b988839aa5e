"""What stays: history, stars, the byte budget, arrays, leases, models, capabilities."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from medsynth_core import wire
from medsynth_core.protocol import Capabilities, ServiceStatus, from_json
from medsynth_core.service.arrays import ArrayStore
from medsynth_core.volume import Volume
from tests.running import RunningService, wait_for

Start = Callable[..., RunningService]


def ids(service: RunningService, query: str = "") -> list[str]:
    return [job["id"] for job in service.ask("GET", f"/v1/history{query}")[1]["jobs"]]


def test_the_capabilities_describe_engines_models_and_device(shared_service: RunningService) -> None:
    able = from_json(Capabilities, shared_service.ask("GET", "/v1/capabilities")[1])
    assert able.ready
    assert able.device is not None
    assert able.device.memory_total > 2**28
    assert [info.name for info in able.engine("fake").params][:2] == ["slices", "size"]
    assert able.instance == shared_service.instance


def test_the_status_is_a_record_of_the_protocol(shared_service: RunningService) -> None:
    status = from_json(ServiceStatus, shared_service.status())
    assert status.queued == status.running == 0


def test_the_history_holds_ended_jobs_newest_first_and_can_be_searched(shared_service: RunningService) -> None:
    jobs = [shared_service.submit(slices=1, size=10 + n) for n in range(3)]
    for job in jobs:
        shared_service.wait_ended(job)
    assert ids(shared_service)[:3] == jobs[::-1]
    assert ids(shared_service, "?limit=1") == jobs[-1:]
    assert ids(shared_service, "?search=%22size%22:%2011") == [jobs[1]]
    assert ids(shared_service, "?search=100%25") == []


def test_a_star_stays_and_can_be_asked_for(shared_service: RunningService) -> None:
    job = shared_service.submit(slices=1)
    shared_service.wait_ended(job)
    assert shared_service.ask("POST", f"/v1/history/{job}/star", {"starred": True})[1]["starred"] is True
    assert ids(shared_service, "?starred=true") == [job]
    assert shared_service.ask("POST", f"/v1/history/{job}/star", {"starred": "yes"})[0] == 422


def test_a_deleted_job_is_gone_from_the_disk_too(shared_service: RunningService) -> None:
    job = shared_service.submit(slices=2)
    shared_service.wait_ended(job)
    assert shared_service.ask("DELETE", f"/v1/history/{job}")[0] == 200
    assert not (shared_service.home / "jobs" / job).exists()
    for path in ("", "/events", "/slices/0", "/result"):
        assert shared_service.ask("GET", f"/v1/jobs/{job}{path}")[0] == 404


def test_a_running_job_is_not_deleted(shared_service: RunningService) -> None:
    job = shared_service.submit(slices=50, delay_ms=20)
    assert shared_service.ask("DELETE", f"/v1/history/{job}")[0] == 409
    shared_service.ask("POST", f"/v1/jobs/{job}/cancel")
    shared_service.wait_ended(job)


def test_the_oldest_results_make_room_but_starred_ones_stay(start_service: Start) -> None:
    service = start_service(budget_bytes=25_000)
    jobs = []
    for number in range(6):  # about 9 kB each: 8 kB of slice and preview, and the metadata
        jobs.append(service.submit(slices=1, size=64))
        service.wait_ended(jobs[-1])
        if number == 0:
            service.ask("POST", f"/v1/history/{jobs[0]}/star", {"starred": True})
    wait_for(lambda: len(ids(service)) < 5, 5)
    left = ids(service)
    assert jobs[0] in left
    assert jobs[-1] in left
    assert jobs[1] not in left
    assert len(left) >= 2


def test_arrays_that_no_job_uses_go_after_an_hour_and_used_ones_stay(tmp_path: Path) -> None:
    store = ArrayStore(tmp_path)
    used, unused, fresh = "a" * 64, "b" * 64, "c" * 64
    for name in (used, unused, fresh):
        store.path(name).parent.mkdir(exist_ok=True)
        store.path(name).write_bytes(b"x")
    for name in (used, unused):
        os.utime(store.path(name), (time.time() - 4000,) * 2)
    store.drop_unused(lambda name: name == used)
    assert [store.path(name).exists() for name in (used, unused, fresh)] == [True, False, True]


def test_a_large_array_travels_up_and_is_kept_once(shared_service: RunningService) -> None:
    content = wire.encode(Volume(np.arange(64 * 256 * 256, dtype=np.int32).astype(np.int16).reshape(1, 64, 256, 256)))
    name = wire.fingerprint(content)
    assert shared_service.ask("PUT", f"/v1/arrays/{name}", content)[0] == 201
    assert (shared_service.home / "arrays" / name[:2] / name).stat().st_size == len(content)


def test_models_are_listed_again_when_asked_and_a_broken_one_says_why(service: RunningService) -> None:
    def models() -> dict[str, str]:
        return {one["id"]: one["problem"] for one in service.ask("GET", "/v1/capabilities")[1]["models"]}

    before = set(models())
    (service.home / "models" / "broken").mkdir(parents=True)
    (service.home / "models" / "broken" / "card.json").write_text("{}")
    from_json(ServiceStatus, service.ask("POST", "/v1/models/refresh")[1])
    assert set(models()) == before | {"broken"}
    assert "card" in models()["broken"]
    shutil.rmtree(service.home / "models" / "broken")


def test_loading_an_unknown_model_names_what_there_is(shared_service: RunningService) -> None:
    for action in ("load", "unload"):
        status, problem = shared_service.ask("POST", f"/v1/models/nobody/{action}")
        assert (status, problem["code"]) == (404, "model_not_found")


def test_a_broken_model_does_not_load_and_the_worker_lives(service: RunningService) -> None:
    folder = service.home / "models" / "broken"
    folder.mkdir(parents=True)
    (folder / "card.json").write_text("not json")
    service.ask("POST", "/v1/models/refresh")
    pid = service.worker_pid()
    status, problem = service.ask("POST", "/v1/models/broken/load")
    assert (status, problem["code"]) == (422, "bad_model")
    assert service.worker_pid() == pid
    assert service.wait_ended(service.submit(slices=1))["state"] == "done"
