"""Jobs through the API: accepted, run, watched, cancelled, resumed, kept."""

from __future__ import annotations

import json
import time
import uuid

import numpy as np
import pytest
import zarr

from medsynth_core import wire
from medsynth_core.engines.fake import slice_pixels
from medsynth_core.protocol import Event, JobInfo, from_json
from medsynth_core.volume import Volume, affine_from_spacing
from tests.running import RunningService, wait_for


def expected(seed: int, slices: int, size: int = 32) -> np.ndarray:
    return np.stack([slice_pixels(seed, z, size)[0] for z in range(slices)])[None]


def test_a_job_gives_the_bytes_that_follow_from_its_seed(shared_service: RunningService) -> None:
    job = shared_service.submit(seed=5, slices=4)
    shared_service.wait_ended(job)
    assert np.array_equal(shared_service.result(job), expected(5, 4))


def test_the_same_request_gives_the_same_recipe_so_that_files_made_of_it_are_the_same_bytes(
    shared_service: RunningService,
) -> None:
    jobs = [shared_service.submit(seed=5, slices=2) for _ in range(2)]
    recipes = [shared_service.wait_ended(job)["recipe"] for job in jobs]
    assert recipes[0] == recipes[1]
    assert recipes[0]["seed"] == 5


def test_another_seed_gives_other_bytes(shared_service: RunningService) -> None:
    first, second = shared_service.submit(seed=1), shared_service.submit(seed=-1)
    for job in (first, second):
        shared_service.wait_ended(job)
    assert not np.array_equal(shared_service.result(first), shared_service.result(second))


def test_events_are_numbered_without_gaps_and_tell_the_whole_story(shared_service: RunningService) -> None:
    job = shared_service.submit(slices=3, delay_ms=60)
    shared_service.wait_ended(job)
    events = [from_json(Event, event) for event in shared_service.events(job)]
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert [event.state.value for event in events if event.state] == ["queued", "running", "done"]
    assert [event.z for event in events if event.kind == "slice"] == [0, 1, 2]
    output = next(event for event in events if event.kind == "output")
    assert output.output_info is not None
    assert output.output_info.shape == (1, 3, 32, 32)
    last = [event for event in events if event.kind == "progress"][-1]
    assert (last.done, last.total, last.seconds_left) == (3, 3, 0.0)


def test_events_can_be_taken_up_anywhere(shared_service: RunningService) -> None:
    job = shared_service.submit(slices=3)
    shared_service.wait_ended(job)
    everything = shared_service.events(job)
    assert shared_service.events(job, after=3) == everything[3:]
    assert shared_service.events(job, after=10_000, wait=25) == []


def test_a_long_poll_answers_with_the_first_event_not_after_the_wait(shared_service: RunningService) -> None:
    job = shared_service.submit(slices=1, delay_ms=300)
    shared_service.wait_event(job, lambda event: event["kind"] == "output")
    after = shared_service.events(job)[-1]["number"]
    asked = time.monotonic()
    assert shared_service.events(job, after, wait=20)
    assert time.monotonic() - asked < 5
    shared_service.wait_ended(job)


def test_slices_can_be_read_while_the_job_runs(shared_service: RunningService) -> None:
    job = shared_service.submit(seed=9, slices=50, delay_ms=20)
    shared_service.wait_event(job, lambda event: event["kind"] == "slice" and event["z"] == 1)
    status, content = shared_service.ask("GET", f"/v1/jobs/{job}/slices/1?output=image")
    assert status == 200
    assert np.array_equal(wire.decode(content).array[0], slice_pixels(9, 1, 32))
    assert shared_service.ask("GET", f"/v1/jobs/{job}/slices/49")[0] == 404
    status, problem = shared_service.ask("GET", f"/v1/jobs/{job}/result")
    assert status == 404
    assert "of 50 slices" in problem["detail"]
    shared_service.ask("POST", f"/v1/jobs/{job}/cancel")
    shared_service.wait_ended(job)


def test_a_slice_lies_where_it_belongs_in_the_world(shared_service: RunningService) -> None:
    mask = Volume(np.ones((1, 1, 8, 8), np.uint8), affine_from_spacing((3.0, 0.5, 0.5), (10, 20, 30)))
    content = wire.encode(mask, compress=True)
    name = wire.fingerprint(content)
    assert shared_service.ask("PUT", f"/v1/arrays/{name}", content)[0] == 201
    job = shared_service.submit(inputs={"mask": name}, slices=3)
    shared_service.wait_ended(job)
    place = wire.decode(shared_service.ask("GET", f"/v1/jobs/{job}/slices/2")[1]).affine
    assert place[:3, 3].tolist() == [10, 20, 36]


def test_the_result_on_disk_is_a_zarr_array_marked_as_synthetic(shared_service: RunningService) -> None:
    job = shared_service.submit(seed=2, slices=4)
    shared_service.wait_ended(job)
    array = zarr.open_array(shared_service.home / "jobs" / job / "image.zarr", mode="r")
    assert array.chunks == (1, 1, 32, 32)
    assert np.array_equal(array[:], expected(2, 4))
    assert array.attrs["medsynth"]["synthetic"] is True


def test_a_preview_can_be_looked_at(shared_service: RunningService) -> None:
    job = shared_service.submit(seed=2, slices=2)
    shared_service.wait_ended(job)
    status, content = shared_service.ask("GET", f"/v1/jobs/{job}/preview?output=image")
    assert status == 200
    assert np.array_equal(wire.decode(content).array[0], slice_pixels(2, 0, 32))


def test_the_recipe_repeats_the_job(shared_service: RunningService) -> None:
    job = shared_service.submit(seed=4, slices=2)
    recipe = shared_service.wait_ended(job)["recipe"]
    assert recipe["synthetic"] is True
    assert (recipe["engine"], recipe["seed"], recipe["params"]["slices"], recipe["params"]["size"]) == ("fake", 4, 2, 32)
    assert recipe["fake"] is True  # a note of the engine
    assert recipe["device"]
    again = shared_service.submit(seed=recipe["seed"], **recipe["params"])
    shared_service.wait_ended(again)
    assert np.array_equal(shared_service.result(job), shared_service.result(again))


def test_the_same_key_gives_the_same_job(shared_service: RunningService) -> None:
    key = uuid.uuid4().hex
    assert shared_service.submit(key, slices=2) == shared_service.submit(key, slices=2)


def test_the_same_key_for_another_job_is_refused(shared_service: RunningService) -> None:
    key = uuid.uuid4().hex
    shared_service.submit(key, slices=2)
    request = {"engine": "fake", "model": "", "inputs": {}, "seed": 99}
    status, problem = shared_service.ask("POST", "/v1/jobs", request, Idempotency_Key=key)
    assert status == 409
    assert "Idempotency-Key" in problem["detail"]


WRONG = [
    ({"engine": "nope"}, 422, "bad_input", "nope"),
    ({"model": "polyp"}, 404, "model_not_found", "polyp"),
    ({"params": {"slcies": 3}}, 422, "bad_parameter", "slcies"),
    ({"params": {"slices": 0}}, 422, "bad_parameter", "slices"),
    ({"params": {"slices": "many"}}, 422, "bad_parameter", "slices"),
    ({"inputs": {"mask": "0" * 64}}, 404, "not_found", "upload"),
    ({"inputs": {"mask": "../../etc/passwd"}}, 404, "not_found", "sha256"),
    ({"inputs": {"picture": "0" * 64}}, 422, "bad_input", "picture"),
    ({"sead": 3}, 422, "bad_input", "sead"),
    ({"seed": 2**63}, 422, "bad_input", "seed"),
    ({"seed": 1.5}, 422, "bad_input", "seed"),
    ({"params": {"slices": [1]}}, 422, "bad_input", "slices"),
]


@pytest.mark.parametrize(("change", "status", "code", "named"), WRONG)
def test_a_wrong_request_is_refused_before_it_is_queued(
    shared_service: RunningService, change: dict[str, object], status: int, code: str, named: str
) -> None:
    before = len(shared_service.ask("GET", "/v1/jobs")[1]["jobs"])
    request = {"engine": "fake", "model": "", "inputs": {}} | change
    answered, problem = shared_service.ask("POST", "/v1/jobs", request, Idempotency_Key=uuid.uuid4().hex)
    assert (answered, problem["code"]) == (status, code)
    assert named in problem["detail"]
    assert len(shared_service.ask("GET", "/v1/jobs")[1]["jobs"]) == before


def test_a_job_without_a_key_is_refused(shared_service: RunningService) -> None:
    status, problem = shared_service.ask("POST", "/v1/jobs", {"engine": "fake", "model": "", "inputs": {}})
    assert status == 422
    assert "idempotency-key" in problem["detail"].lower()


def test_a_cancelled_job_keeps_its_slices_and_goes_on_when_resumed(shared_service: RunningService) -> None:
    job = shared_service.submit(seed=3, slices=40, delay_ms=20)
    shared_service.wait_slices(job, 5)
    asked = time.monotonic()
    shared_service.ask("POST", f"/v1/jobs/{job}/cancel")
    ended = shared_service.wait_ended(job)
    assert time.monotonic() - asked < 1.0
    assert ended["state"] == "cancelled"
    kept = ended["slices_done"]
    assert 5 <= kept < 40
    assert shared_service.ask("GET", f"/v1/jobs/{job}/slices/0")[0] == 200
    before = (shared_service.home / "jobs" / job / "image.zarr/c/0/0/0/0").stat().st_mtime_ns
    assert shared_service.ask("POST", f"/v1/jobs/{job}/resume")[0] == 200
    wait_for(lambda: shared_service.job(job)["state"] == "done", 20)
    assert np.array_equal(shared_service.result(job), expected(3, 40))
    assert (shared_service.home / "jobs" / job / "image.zarr/c/0/0/0/0").stat().st_mtime_ns == before


def test_a_queued_job_is_cancelled_without_ever_running(shared_service: RunningService) -> None:
    first = shared_service.submit(slices=20, delay_ms=20)
    second = shared_service.submit(slices=1)
    assert shared_service.ask("POST", f"/v1/jobs/{second}/cancel")[1]["state"] == "cancelled"
    shared_service.wait_ended(first)
    assert "running" not in [event["state"] for event in shared_service.events(second)]


def test_cancelling_twice_or_after_the_end_changes_nothing(shared_service: RunningService) -> None:
    job = shared_service.submit(slices=1)
    shared_service.wait_ended(job)
    for _ in range(2):
        assert shared_service.ask("POST", f"/v1/jobs/{job}/cancel")[1]["state"] == "done"


def test_a_job_that_is_done_cannot_be_resumed(shared_service: RunningService) -> None:
    job = shared_service.submit(slices=1)
    shared_service.wait_ended(job)
    assert shared_service.ask("POST", f"/v1/jobs/{job}/resume")[0] == 409


def test_a_job_resumed_at_once_after_its_cancel_runs_to_its_end(shared_service: RunningService) -> None:
    for _ in range(5):
        job = shared_service.submit(slices=30, delay_ms=3)
        shared_service.wait_slices(job, 1)
        shared_service.ask("POST", f"/v1/jobs/{job}/cancel")
        shared_service.wait_ended(job)
        if shared_service.job(job)["state"] == "cancelled":
            assert shared_service.ask("POST", f"/v1/jobs/{job}/resume")[0] == 200
        wait_for(lambda job=job: shared_service.job(job)["state"] == "done", 20)


def test_jobs_are_listed_newest_first(shared_service: RunningService) -> None:
    jobs = [shared_service.submit(slices=1) for _ in range(3)]
    listed = [from_json(JobInfo, job).id for job in shared_service.ask("GET", "/v1/jobs")[1]["jobs"]]
    assert listed[:3] == jobs[::-1]
    shared_service.wait_ended(jobs[-1])


def test_an_engine_that_fails_fails_its_job_with_a_sentence_and_no_traceback(shared_service: RunningService) -> None:
    job = shared_service.submit(fault="error", fault_times=9)
    ended = shared_service.wait_ended(job)
    assert (ended["state"], ended["error_code"]) == ("failed", "internal")
    assert "RuntimeError" in ended["error"]
    assert "Traceback" not in json.dumps(ended)
    assert shared_service.status()["worker"] == "ready"


def test_running_out_of_memory_fails_the_job_and_keeps_the_worker(shared_service: RunningService) -> None:
    pid = shared_service.worker_pid()
    ended = shared_service.wait_ended(shared_service.submit(fault="oom", fault_times=9))
    assert (ended["state"], ended["error_code"]) == ("failed", "out_of_memory")
    assert shared_service.worker_pid() == pid
