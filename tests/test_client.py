"""The client: what it sends and gives back, and how it outlives a service that dies. First on a script, then for real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medsynth_core import wire
from medsynth_core.client import Client, connect
from medsynth_core.errors import (
    ApiVersionError,
    InputError,
    JobCancelledError,
    MedSynthError,
    ModelNotFoundError,
    NotFoundError,
    ParameterError,
    ServiceError,
    ServiceUnavailableError,
    ShapeError,
)
from medsynth_core.protocol import Event, EventKind, JobInfo, JobRequest, JobState, OutputInfo, to_json
from medsynth_core.transport import Reply, Request
from medsynth_core.volume import Volume, affine_from_spacing
from tests.running import RunningService, is_alive, wait_for

MASK = np.eye(16, dtype=np.uint8)
EYE = tuple(tuple(row) for row in np.eye(4).tolist())


@dataclass
class ScriptedSend:
    """A service in one function: it keeps arrays, makes one job, and logs what it was asked."""

    arrays: dict[str, bytes] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    job: dict[str, Any] = field(default_factory=dict)
    batches: list[list[Event]] = field(default_factory=list)
    state: JobState = JobState.DONE
    result: Volume = field(default_factory=lambda: Volume(np.full((3, 1, 16, 16), 9, np.uint8)))
    answers: dict[str, Reply] = field(default_factory=dict)

    def __call__(self, request: Request) -> Reply:
        self.asked.append(request)
        path, last = request.path.split("?")[0], request.path.split("?")[0].rsplit("/", 1)[1]
        if path in self.answers:
            return self.answers[path]
        if path.startswith("/v1/arrays/"):
            return self._array(request, last)
        if request.path == "/v1/jobs" and request.method == "POST":
            return self._submit(json.loads(request.body or b""))
        if last == "events":
            lines = [json.dumps(to_json(event)) for event in (self.batches.pop(0) if self.batches else [])]
            return Reply(200, "\n".join(lines).encode())
        if last == "result":
            return Reply(200, wire.encode(self.result))
        return Reply(200, json.dumps(to_json(self._info())).encode())

    def paths(self) -> list[str]:
        return [f"{r.method} {r.path.split('/')[2]}" for r in self.asked]

    def _array(self, request: Request, name: str) -> Reply:
        if request.method == "HEAD":
            return Reply(200 if name in self.arrays else 404)
        self.arrays[name] = bytes(request.body or b"")
        return Reply(201)

    def _submit(self, fields: dict[str, Any]) -> Reply:
        missing = [name for name in fields["inputs"].values() if name not in self.arrays]
        if missing:
            return problem(404, "not_found", "no such array")
        self.job = fields
        return Reply(201, json.dumps(to_json(self._info())).encode())

    def _info(self) -> JobInfo:
        request = JobRequest(self.job.get("engine", ""), "", {}, self.job.get("seed", 0))
        names = ("mask", "uncertainty") if self.job.get("engine") == "refine" else ("image",)
        outputs = tuple(OutputInfo(name, "image", (3, 1, 16, 16), "uint8", EYE) for name in names)
        code = "bad_parameter" if self.state is JobState.FAILED else ""
        return JobInfo("j1", self.state, request, 0.0, outputs=outputs, error_code=code, error="steps is 9" if code else "")


def problem(status: int, code: str, detail: str) -> Reply:
    return Reply(status, json.dumps({"type": "about:blank", "status": status, "code": code, "detail": detail}).encode())


def event(number: int, state: JobState | None = None) -> Event:
    return Event(number, "j1", EventKind.STATE if state else EventKind.PROGRESS, 0.0, state=state)


@pytest.fixture
def send() -> ScriptedSend:
    return ScriptedSend()


@pytest.fixture
def client(send: ScriptedSend) -> Iterator[Client]:
    with Client(send, lease=False) as engine:
        yield engine


def test_an_array_in_gives_an_array_out(client: Client) -> None:
    assert client.synthesize(MASK, model="polyp").shape == (16, 16, 3)


def test_a_volume_in_gives_a_volume_out(client: Client) -> None:
    image = client.synthesize(Volume(MASK[None, None]), model="polyp")
    assert isinstance(image, Volume)
    assert image.array.shape == (3, 1, 16, 16)


def test_arrays_are_inputs_and_all_else_is_parameters(client: Client, send: ScriptedSend) -> None:
    client.submit("synthesize", model="polyp", seed=7, mask=MASK, steps=np.int64(2), plane="axial")
    assert send.job["params"] == {"steps": 2, "plane": "axial"}
    assert list(send.job["inputs"]) == ["mask"]
    assert send.job["seed"] == 7


def test_a_mask_is_sent_small_and_an_image_raw(client: Client, send: ScriptedSend) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (256, 256)).astype(np.uint8)
    client.submit("refine", mask=np.zeros((256, 256), np.uint8), image=noise)
    sizes = sorted(len(data) for data in send.arrays.values())
    assert sizes[0] < 1000
    assert sizes[1] > 256 * 256


@pytest.mark.parametrize("dtype", ["bool", "int8", "int64", "uint64", "float64", "float16", "uint8", "float32"])
def test_every_usual_type_travels(client: Client, send: ScriptedSend, dtype: str) -> None:
    client.submit("x", mask=MASK.astype(dtype))
    (data,) = send.arrays.values()
    np.testing.assert_array_equal(wire.decode(data).array[0, 0], MASK)


def test_whole_numbers_that_would_be_cut_are_refused(client: Client) -> None:
    with pytest.raises(InputError, match="mask holds values outside"):
        client.submit("x", mask=np.full((2, 2), 2**40))


def test_a_stack_without_geometry_is_refused(client: Client) -> None:
    with pytest.raises(ShapeError, match=r"\(5, 16, 16\)"):
        client.submit("x", mask=np.zeros((5, 16, 16), np.uint8))


@pytest.mark.parametrize("value", [None, {"a": 1}, object()])
def test_what_is_neither_array_nor_number_is_refused_by_name(client: Client, value: object) -> None:
    with pytest.raises(InputError, match="steps is of type"):
        client.submit("x", steps=value)


def test_an_array_is_sent_once(client: Client, send: ScriptedSend) -> None:
    for _ in range(3):
        client.submit("x", mask=MASK)
    assert send.paths().count("PUT arrays") == 1


def test_a_large_array_the_service_has_is_not_sent(client: Client, send: ScriptedSend) -> None:
    large = np.random.default_rng(0).integers(0, 255, (512, 512)).astype(np.uint8)
    with Client(send, lease=False) as other:
        other.submit("x", image=large)
    client.submit("x", image=large)
    assert send.paths().count("PUT arrays") == 1


def test_an_array_the_service_has_swept_is_sent_again(client: Client, send: ScriptedSend) -> None:
    client.submit("x", mask=MASK)
    send.arrays.clear()
    client.submit("x", mask=MASK)
    assert len(send.arrays) == 1


def test_each_job_has_a_key_of_its_own(client: Client, send: ScriptedSend) -> None:
    for _ in range(2):
        client.submit("x", mask=MASK)
    keys = [request.headers["Idempotency-Key"] for request in send.asked if request.path == "/v1/jobs"]
    assert len(set(keys)) == 2


def test_events_come_once_and_in_order_over_empty_answers(client: Client, send: ScriptedSend) -> None:
    send.batches = [[event(1), event(2)], [], [event(3, JobState.RUNNING)], [event(4, JobState.DONE)]]
    assert [e.number for e in client.submit("x")] == [1, 2, 3, 4]
    asked = [r.path.split("after=")[1].split("&")[0] for r in send.asked if "/events" in r.path]
    assert asked == ["0", "2", "2", "3"]


def test_a_resumed_job_goes_on_after_its_first_end(client: Client, send: ScriptedSend) -> None:
    send.batches = [[event(1, JobState.CANCELLED), event(2, JobState.QUEUED), event(3)], [event(4, JobState.DONE)]]
    assert [e.number for e in client.submit("x")] == [1, 2, 3, 4]


def test_leaving_the_loop_leaves_the_job_alone(client: Client, send: ScriptedSend) -> None:
    send.batches = [[event(1), event(2)]]
    for _ in client.submit("x"):
        break
    assert not [r for r in send.asked if r.path.endswith("/cancel")]


def test_a_failed_job_raises_the_error_it_failed_with(client: Client, send: ScriptedSend) -> None:
    send.state = JobState.FAILED
    with pytest.raises(ParameterError, match="steps is 9"):
        client.submit("x").result()


def test_a_cancelled_job_says_so(client: Client, send: ScriptedSend) -> None:
    send.state = JobState.CANCELLED
    with pytest.raises(JobCancelledError):
        client.submit("x").result()


def test_an_unknown_output_is_named(client: Client) -> None:
    with pytest.raises(NotFoundError, match="output is 'depth': the job has image"):
        client.submit("x").result("depth")


def test_ctrl_c_cancels_what_synthesize_waits_for(client: Client, send: ScriptedSend, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("medsynth_core.job.Job.result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        client.synthesize(MASK, model="polyp")
    assert send.asked[-1].path.endswith("/cancel")


@pytest.mark.parametrize("dtype", ["uint8", "bool", "int64", "float64"])
def test_refine_gives_the_mask_back_in_its_own_shape_and_type(client: Client, send: ScriptedSend, dtype: str) -> None:
    send.result = Volume(MASK[None, None])
    refined = client.refine(np.zeros((16, 16, 3), np.uint8), MASK.astype(dtype), steps=1)
    np.testing.assert_array_equal(refined, MASK)
    assert refined.dtype == np.dtype(dtype)
    assert (send.job["engine"], send.job["model"], send.job["params"]) == ("refine", "refiner", {"steps": 1})
    assert sorted(send.job["inputs"]) == ["image", "mask"]


def test_refine_gives_the_uncertainty_beside_the_mask_when_asked(client: Client, send: ScriptedSend) -> None:
    send.result = Volume(MASK[None, None])
    refined, unsure = client.refine(MASK, MASK, uncertainty=True, locked=MASK)
    assert refined.shape == unsure.shape == (16, 16)
    assert sorted(send.job["inputs"]) == ["image", "locked", "mask"]
    assert [r.path for r in send.asked if "/result" in r.path] == [
        f"/v1/jobs/j1/result?output={n}" for n in ("mask", "uncertainty")
    ]


def test_refine_keeps_a_volume_in_its_place_and_a_stack_a_stack(client: Client, send: ScriptedSend) -> None:
    send.result = Volume(np.stack([MASK, MASK])[None])
    mask = Volume(send.result.array.astype(np.int16), affine_from_spacing((3, 2, 1), (5, 6, 7)))
    refined = client.refine(mask, mask)
    assert refined.array.dtype == np.int16
    np.testing.assert_array_equal(refined.affine, mask.affine)
    assert client.refine(mask.array, mask.array).shape == (1, 2, 16, 16)


def test_refine_without_a_mask_names_the_network_that_draws_one(client: Client, send: ScriptedSend) -> None:
    send.result = Volume(MASK[None, None])
    assert client.refine(np.zeros((16, 16, 3), np.uint8), coarse="polyp-coarse").shape == (16, 16)
    assert list(send.job["inputs"]) == ["image"]
    assert send.job["params"] == {"coarse": "polyp-coarse"}


def test_ctrl_c_cancels_what_refine_waits_for(client: Client, send: ScriptedSend, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("medsynth_core.job.Job.result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        client.refine(MASK, MASK)
    assert send.asked[-1].path.endswith("/cancel")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (problem(404, "model_not_found", "no model"), ModelNotFoundError),
        (problem(422, "shape_mismatch", "no fit"), ShapeError),
        (problem(500, "new_code_of_tomorrow", "odd"), MedSynthError),
        (Reply(502, b""), ServiceError),
        (Reply(500, b"<html>"), ServiceUnavailableError),
        (Reply(200, b'{"of": "another version"}'), ApiVersionError),
        (Reply(200, b"not json"), ApiVersionError),
        (Reply(200, b"[1, 2]"), ApiVersionError),
    ],
)
def test_every_bad_answer_is_one_of_our_errors(client: Client, send: ScriptedSend, reply: Reply, kind: type[Exception]) -> None:
    send.answers["/v1/status"] = reply
    with pytest.raises(kind):
        client.status()


def test_status_neither_waits_nor_starts(client: Client, send: ScriptedSend) -> None:
    with pytest.raises(ApiVersionError):
        client.status()
    assert send.asked[-1].patience == 0
    assert not send.asked[-1].start


def test_importing_the_client_loads_numpy_and_the_standard_library_only() -> None:
    code = (
        "import sys, numpy; before = set(sys.modules); import medsynth_core.client, medsynth_core.launcher\n"
        "print(*{name.split('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names))"
    )
    backend = Path(wire.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(backend)}, capture_output=True, text=True
    )
    assert "medsynth_core" in done.stdout.split(), done.stderr
    assert set(done.stdout.split()) <= {"medsynth_core", "numpy"}


# the real service, with the fake engine


@pytest.fixture(scope="module")
def engine(shared_service: RunningService) -> Iterator[Client]:
    with connect(home=shared_service.home, start=False, name="tests") as connected:
        yield connected


def test_the_real_service_gives_the_events_and_the_result(engine: Client) -> None:
    mask = Volume(MASK[None, None], affine_from_spacing((2, 0.5, 0.25), (1, 2, 3)))
    job = engine.submit("fake", mask=mask, seed=5, slices=3, size=16)
    events = list(job)
    assert [e.number for e in events] == list(range(1, len(events) + 1))
    assert [e.z for e in events if e.kind is EventKind.SLICE] == [0, 1, 2]
    result = job.result("image")
    np.testing.assert_array_equal(result.affine, mask.affine)
    np.testing.assert_array_equal(job.slice(2, "image").array[0, 0], result.array[0, 2])
    assert job.slice(2, "image").affine[2, 3] == pytest.approx(3 + 2 * 2)
    assert job.info().recipe["seed"] == 5
    assert job.preview("image").array.shape == (1, 1, 16, 16)


def test_cancel_and_resume_keep_the_slices(engine: Client) -> None:
    job = engine.submit("fake", slices=40, size=8, delay_ms=20)
    for happening in job:
        if happening.kind is EventKind.SLICE and happening.z == 3:
            job.cancel()
    assert job.state is JobState.CANCELLED
    kept = job.info().slices_done
    assert 4 <= kept < 40
    job.resume()
    assert job.result().array.shape[1] == 40
    slices = [e.z for e in job if e.kind is EventKind.SLICE]
    assert sorted(slices) == list(range(40))


def test_bad_wishes_are_refused_before_they_run(engine: Client) -> None:
    with pytest.raises(ParameterError, match="slices is 0"):
        engine.submit("fake", slices=0)
    with pytest.raises(InputError, match="engine is 'nope'"):
        engine.submit("nope")
    with pytest.raises(ModelNotFoundError):
        engine.synthesize(MASK, model="nope")
    with pytest.raises(NotFoundError):
        engine.job("0" * 32)
    with pytest.raises(MedSynthError, match="the engine fake failed"):
        engine.submit("fake", fault="error", fault_at=0, fault_times=9).result()


def test_history_can_be_starred_searched_and_forgotten(engine: Client) -> None:
    job = engine.submit("fake", slices=1, size=4, note="a rare find")
    job.wait()
    engine.star(job.id)
    assert [j.id for j in engine.history(starred=True, search="rare find")] == [job.id]
    engine.star(job.id, False)
    engine.forget(job.id)
    assert job.id not in [j.id for j in engine.history()]
    assert job.id not in [j.id for j in engine.jobs()]


def test_many_threads_may_use_one_client(engine: Client) -> None:
    images: dict[int, np.ndarray] = {}

    def work(seed: int) -> None:
        images[seed] = engine.submit("fake", slices=1, size=8, seed=seed).result().array

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len({image.tobytes() for image in images.values()}) == 8


def test_closing_ends_a_wait_in_another_thread(shared_service: RunningService) -> None:
    engine = connect(home=shared_service.home, start=False)
    job, problems = engine.submit("fake", slices=30, delay_ms=300, size=4), []

    def follow() -> None:
        try:
            list(job)
        except ServiceUnavailableError as trouble:
            problems.append(str(trouble))

    thread = threading.Thread(target=follow)
    thread.start()
    time.sleep(0.2)
    job.cancel()
    engine.close()
    thread.join(5)
    assert not thread.is_alive()
    with pytest.raises(ServiceUnavailableError, match="was closed"):
        engine.status()
    engine.close()


def test_a_lease_is_held_and_released(shared_service: RunningService) -> None:
    before = shared_service.status()["clients"]
    with connect(home=shared_service.home, start=False):
        assert shared_service.status()["clients"] == before + 1
    assert shared_service.status()["clients"] == before


def test_a_service_that_was_killed_is_started_again_and_no_event_is_lost(home: Path) -> None:
    with connect(home=home, name="first") as engine:
        job = engine.submit("fake", slices=20, delay_ms=30, size=8, seed=3)
        events = []
        for happening in job:
            events.append(happening)
            if happening.kind is EventKind.SLICE and happening.z == 4:
                os.kill(service_pid(home), signal.SIGKILL)
                killed = time.monotonic()
        assert time.monotonic() - killed < 20
        assert [e.number for e in events] == list(range(1, len(events) + 1))
        assert sorted(e.z for e in events if e.kind is EventKind.SLICE) == list(range(20))
        undisturbed = engine.submit("fake", slices=20, size=8, seed=3).result().array
        np.testing.assert_array_equal(job.result().array, undisturbed)
        engine.shutdown()
        wait_for(lambda: not (home / "connection.json").exists(), 10)


def test_a_service_that_was_stopped_on_purpose_is_not_revived_by_a_look(start_service: Callable[..., RunningService]) -> None:
    service = start_service()
    with connect(home=service.home) as engine:
        job = engine.submit("fake", slices=1, size=4)
        job.wait()
        engine.shutdown()
        service.process.wait(15)
        with pytest.raises(ServiceUnavailableError):
            engine.status()
        started = time.monotonic()
        engine_without_patience = Client(engine._send, lease=False)
        with pytest.raises(ServiceUnavailableError):
            engine_without_patience.ask("GET", "/v1/jobs", patience=0.3)
        assert time.monotonic() - started < 5
        assert not (service.home / "connection.json").exists()


def test_a_restarted_service_is_found_at_its_new_port(start_service: Callable[..., RunningService]) -> None:
    service = start_service()
    with connect(home=service.home, start=False) as engine:
        first = engine.capabilities().instance
        service.kill()
        service.start()
        assert engine.capabilities().instance not in ("", first)
        wait_for(lambda: service.status()["clients"] >= 0, 1)


def service_pid(home: Path) -> int:
    """Return the process id of the service that was started for `home`."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"medsynth_core.service" in words and str(home).encode() in words and is_alive(int(entry.name)):
                return int(entry.name)
    raise AssertionError("no service runs")


def test_a_client_without_a_service_says_how_to_get_one(home: Path) -> None:
    with pytest.raises(ServiceUnavailableError, match="msynth engine start"):
        connect(home=home, start=False)
