"""`Client.grow_tumor` and `Job.slices`: what is sent, what comes back, and slices in the order they are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from medsynth_core import tumor_words, wire
from medsynth_core.client import Client, connect
from medsynth_core.errors import InputError, JobCancelledError, JobError, ParameterError, ShapeError
from medsynth_core.protocol import Event, EventKind, JobInfo, JobRequest, JobState, OutputInfo
from medsynth_core.transport import Reply, Request
from medsynth_core.volume import Volume, affine_from_spacing
from tests.running import RunningService
from tests.test_client import EYE, ScriptedSend

STACK = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
SHAPE = (1, 2, 3, 4)
OUTPUTS = {"image": ("image", "uint8"), "mask": ("labels", "uint8"), "latents": ("state", "float32")}


class TumorSend(ScriptedSend):
    """The scripted service with the outputs of the tumor engine; a slice of an output is filled with its z."""

    def __call__(self, request: Request) -> Reply:
        path = request.path.split("?")[0]
        if "/slices/" in path:
            self.asked.append(request)
            return Reply(200, wire.encode(Volume(np.full((1, 1, 3, 4), int(path.rsplit("/", 1)[1]), np.uint8))))
        return super().__call__(request)

    def _info(self) -> JobInfo:
        outputs = tuple(OutputInfo(name, kind, SHAPE, dtype, EYE) for name, (kind, dtype) in OUTPUTS.items())
        code = "refused" if self.state is JobState.FAILED else ""
        request = JobRequest(self.job.get("engine", ""), "", {}, self.job.get("seed", 0))
        return JobInfo("j1", self.state, request, 0.0, outputs=outputs, error_code=code, error="not fit" if code else "")


@pytest.fixture
def send() -> TumorSend:
    return TumorSend(result=Volume(STACK[None]))


@pytest.fixture
def client(send: TumorSend) -> Iterator[Client]:
    with Client(send, lease=False) as engine:
        yield engine


def test_image_and_mask_come_back_and_the_state_is_not_asked_for(client: Client, send: TumorSend) -> None:
    image, mask = client.grow_tumor(seed=3, volume_ml=20)
    assert isinstance(image, Volume)
    assert isinstance(mask, Volume)
    assert (send.job["engine"], send.job["model"], send.job["seed"]) == ("tumor", "lgg-flair", 3)
    assert send.job["params"] == {"volume_ml": 20}
    assert [r.path for r in send.asked if "/result" in r.path] == [f"/v1/jobs/j1/result?output={n}" for n in ("image", "mask")]


def test_three_numbers_at_a_time_become_parameters(client: Client, send: TumorSend) -> None:
    client.grow_tumor(center_mm=(-30, 10.5, 4), extent_mm=[30, 20, 10], shape=(64, 128, 128), spacing_mm=np.array([2, 1.5, 1.5]))
    assert send.job["params"] == {
        "place": "given",
        "center_x_mm": -30,
        "center_y_mm": 10.5,
        "center_z_mm": 4,
        "extent_x_mm": 30,
        "extent_y_mm": 20,
        "extent_z_mm": 10,
        "slices": 64,
        "height": 128,
        "width": 128,
        "slice_mm": 2.0,
        "row_mm": 1.5,
        "column_mm": 1.5,
    }


@pytest.mark.parametrize("center", [(1, 2), (1, 2, 3, 4), 7, "abc", None])
def test_a_center_is_three_numbers(client: Client, send: TumorSend, center: object) -> None:
    with pytest.raises(ParameterError, match=r"center_mm is .* three numbers, center_x_mm, center_y_mm, center_z_mm"):
        client.grow_tumor(center_mm=center)
    assert not send.asked


def test_a_center_of_no_numbers_is_named(client: Client) -> None:
    with pytest.raises(InputError, match="center_y_mm"):
        client.grow_tumor(center_mm=(1, None, 3))


@pytest.mark.parametrize("given", [STACK, STACK[None], Volume(STACK[None], affine_from_spacing((3, 2, 1), (5, 6, 7)))])
def test_a_background_travels_with_its_place(client: Client, send: TumorSend, given: np.ndarray | Volume) -> None:
    client.grow_tumor(background=given)
    sent = wire.decode(send.arrays[send.job["inputs"]["background"]])
    np.testing.assert_array_equal(sent.array, STACK[None])
    np.testing.assert_array_equal(sent.affine, given.affine if isinstance(given, Volume) else np.eye(4))


def test_a_flat_background_is_refused(client: Client, send: TumorSend) -> None:
    with pytest.raises(ShapeError):
        client.grow_tumor(background=STACK[0])
    assert not send.asked


def test_ctrl_c_cancels_what_it_waits_for(client: Client, send: TumorSend, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("medsynth_core.job.Job.result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        client.grow_tumor()
    assert send.asked[-1].path.endswith("/cancel")


def test_words_and_parameters_turn_into_each_other() -> None:
    asked = {"volume_ml": 3.0, "center_mm": [1.0, 2.0, 3.0], "shape": [4, 5, 6], "spacing_mm": [1.0, 1.0, 1.0]}
    assert tumor_words.gathered(tumor_words.spread(asked)) == asked
    assert tumor_words.gathered({"center_x_mm": 1.0, "slices": 3}) == {"center_x_mm": 1.0, "slices": 3}


# slices as they come


def growth(*slices: tuple[str, int], end: JobState = JobState.DONE) -> list[Event]:
    """The events of a job that makes these slices."""
    told = [Event(0, "j1", EventKind.STATE, 0.0, state=JobState.RUNNING)]
    for name, (kind, dtype) in OUTPUTS.items():
        told.append(Event(0, "j1", EventKind.OUTPUT, 0.0, output=name, output_info=OutputInfo(name, kind, SHAPE, dtype, EYE)))
    for name, z in slices:
        told += [Event(0, "j1", EventKind.SLICE, 0.0, output=name, z=z), Event(0, "j1", EventKind.PROGRESS, 0.0, done=z, total=9)]
    told.append(Event(0, "j1", EventKind.STATE, 0.0, state=end))
    return [replace(event, number=number) for number, event in enumerate(told, 1)]


MADE = (("latents", 1), ("image", 1), ("mask", 1), ("latents", 0), ("image", 0), ("mask", 0))


def test_slices_come_in_the_order_they_grow_and_the_state_is_left_out(client: Client, send: TumorSend) -> None:
    send.batches = [growth(*MADE)]
    came = list(client.submit("tumor").slices())
    assert [(name, z) for name, z, _ in came] == [("image", 1), ("mask", 1), ("image", 0), ("mask", 0)]
    assert all(part.array.max() == z for _, z, part in came)


def test_one_output_alone_may_be_followed_also_the_state(client: Client, send: TumorSend) -> None:
    send.batches = [growth(*MADE)]
    assert [z for _, z, _ in client.submit("tumor").slices("mask")] == [1, 0]
    send.batches = [growth(*MADE)]
    assert [name for name, _, _ in client.submit("tumor").slices("latents")] == ["latents", "latents"]


def test_a_slice_that_is_replaced_comes_again(client: Client, send: TumorSend) -> None:
    send.batches = [growth(("image", 1), ("image", 0), ("image", 1))]
    assert [z for _, z, _ in client.submit("tumor").slices("image")] == [1, 0, 1]


@pytest.mark.parametrize(("end", "kind"), [(JobState.FAILED, JobError), (JobState.CANCELLED, JobCancelledError)])
def test_a_job_that_does_not_end_well_says_so_after_its_slices(
    client: Client, send: TumorSend, end: JobState, kind: type[JobError]
) -> None:
    send.batches, send.state = [growth(("image", 1), end=end)], end
    came = client.submit("tumor").slices()
    assert next(came)[1] == 1
    with pytest.raises(kind):
        next(came)


def test_the_real_service_gives_slices_while_the_job_runs(shared_service: RunningService) -> None:
    with connect(home=shared_service.home, start=False) as engine:
        job = engine.submit("fake", slices=6, size=8, delay_ms=30)
        running = []
        for name, z, part in job.slices():
            running.append(not job.state.ended)
            np.testing.assert_array_equal(part.array, job.slice(z, name).array)
        assert running[0]
        assert len(running) == 6
        np.testing.assert_array_equal(job.result().array[0, 5], part.array[0, 0])
