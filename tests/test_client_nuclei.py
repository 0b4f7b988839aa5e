"""`Client.make_nuclei`: what is sent, and pairs that come back as images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from medsynth_core import wire
from medsynth_core.client import Client
from medsynth_core.errors import JobError
from medsynth_core.protocol import JobInfo, JobRequest, JobState, OutputInfo
from medsynth_core.transport import Reply, Request
from medsynth_core.volume import Volume
from tests.test_client import EYE, ScriptedSend

OUTPUTS = {"image": (3, "image", np.uint8), "instances": (1, "labels", np.uint16), "structure": (3, "state", np.float32)}


class NucleiSend(ScriptedSend):
    """The scripted service with the outputs of the nuclei engine, `tiles` of each."""

    tiles = 1

    def __call__(self, request: Request) -> Reply:
        if "/result" in request.path:
            self.asked.append(request)
            channels, _, dtype = OUTPUTS[request.path.split("output=")[1]]
            return Reply(200, wire.encode(Volume(np.ones((channels, self.tiles, 4, 5), dtype))))
        return super().__call__(request)

    def _info(self) -> JobInfo:
        outputs = tuple(
            OutputInfo(name, kind, (channels, self.tiles, 4, 5), np.dtype(dtype).name, EYE)
            for name, (channels, kind, dtype) in OUTPUTS.items()
        )
        return JobInfo("j1", self.state, JobRequest(self.job.get("engine", ""), "", {}, 0), 0.0, outputs=outputs)


@pytest.fixture
def send() -> NucleiSend:
    return NucleiSend()


@pytest.fixture
def client(send: NucleiSend) -> Iterator[Client]:
    with Client(send, lease=False) as engine:
        yield engine


def test_a_pair_from_nothing_comes_back_as_two_images(client: Client, send: NucleiSend) -> None:
    image, instances = client.make_nuclei(seed=3, density=40)
    assert (image.shape, image.dtype) == ((4, 5, 3), np.uint8)
    assert (instances.shape, instances.dtype) == ((4, 5), np.uint16)
    assert (send.job["engine"], send.job["model"], send.job["seed"]) == ("nuclei", "nuclei-he", 3)
    assert (send.job["params"], send.job["inputs"]) == ({"density": 40}, {})
    assert [r.path.split("output=")[1] for r in send.asked if "/result" in r.path] == ["image", "instances"]


def test_several_tiles_come_one_after_the_other(client: Client, send: NucleiSend) -> None:
    send.tiles = 3
    image, instances = client.make_nuclei(slices=3)
    assert (image.shape, instances.shape) == ((3, 4, 5, 3), (3, 4, 5))


def test_painted_nuclei_go_as_the_mask_and_a_volume_gives_volumes(client: Client, send: NucleiSend) -> None:
    nuclei = Volume(np.ones((1, 1, 4, 5), np.uint16))
    image, instances = client.make_nuclei(nuclei, given="complete", region=np.ones((4, 5), np.uint8))
    assert isinstance(image, Volume)
    assert isinstance(instances, Volume)
    assert sorted(send.job["inputs"]) == ["mask", "region"]


def test_a_failed_job_gives_no_pair(client: Client, send: NucleiSend) -> None:
    send.state = JobState.FAILED
    with pytest.raises(JobError):
        client.make_nuclei()
