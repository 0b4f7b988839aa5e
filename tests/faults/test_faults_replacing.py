"""An engine may replace a slice it gave before; whatever is killed in between, the last word is on disk and in the journal."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medsynth_core.engines.fake import slice_pixels
from medsynth_core.protocol import JobRequest, OutputInfo
from medsynth_core.service import frames
from medsynth_core.service.recording import Recorder, Slice
from medsynth_core.service.results import ResultVolume
from tests.running import RunningService

Start = Callable[..., RunningService]
OUTPUT = OutputInfo("image", "image", (1, 4, 8, 8), "uint8", tuple(map(tuple, np.eye(4).tolist())))
FIRST, SECOND = slice_pixels(1, 0, 8), slice_pixels(2, 0, 8)


def recorder(folder: Path, said: list[frames.Report], *kept: frames.KeptSlice) -> Recorder:
    run = frames.Run("j", JobRequest("fake", "", {}), 1, (OUTPUT,) if kept else (), kept)
    made = Recorder(run, folder, said.append, lambda run: pytest.fail("the disk is not full"))
    made.take(OUTPUT)
    return made


def written(said: list[frames.Report]) -> list[str]:
    return [report.sha256 for report in said if isinstance(report, frames.SliceWritten)]


def sha256(pixels: np.ndarray) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def test_a_slice_that_replaces_another_is_written_and_told(tmp_path: Path) -> None:
    said: list[frames.Report] = []
    taking = recorder(tmp_path, said)
    taking.take(Slice("image", 0, FIRST))
    taking.take(Slice("image", 0, SECOND, replaces=True))
    assert written(said) == [sha256(FIRST), sha256(SECOND)]
    assert np.array_equal(ResultVolume(tmp_path, OUTPUT).read(0), SECOND)


def test_a_slice_given_again_without_that_word_is_left_aside(tmp_path: Path) -> None:
    said: list[frames.Report] = []
    taking = recorder(tmp_path, said)
    taking.take(Slice("image", 0, FIRST))
    taking.take(Slice("image", 0, SECOND))
    assert written(said) == [sha256(FIRST)]
    assert np.array_equal(ResultVolume(tmp_path, OUTPUT).read(0), FIRST)


def test_a_replacement_that_a_dead_worker_had_written_already_is_not_told_again(tmp_path: Path) -> None:
    recorder(tmp_path, []).take(Slice("image", 0, SECOND))
    said: list[frames.Report] = []
    taking = recorder(tmp_path, said, frames.KeptSlice("image", 0, sha256(SECOND)))
    taking.take(Slice("image", 0, SECOND, replaces=True))
    assert written(said) == []


def test_a_replacement_of_a_slice_that_was_kept_is_written(tmp_path: Path) -> None:
    recorder(tmp_path, []).take(Slice("image", 0, FIRST))
    said: list[frames.Report] = []
    taking = recorder(tmp_path, said, frames.KeptSlice("image", 0, sha256(FIRST)))
    taking.take(Slice("image", 0, SECOND, replaces=True))
    assert written(said) == [sha256(SECOND)]


def expected(seed: int, slices: int) -> np.ndarray:
    return np.stack([slice_pixels(seed + 1, z, 32)[0] for z in range(slices)])[None]


def test_clients_hear_of_each_replaced_slice_and_get_its_new_bytes(shared_service: RunningService) -> None:
    job = shared_service.submit(seed=5, slices=4, twice=True)
    ended = shared_service.wait_ended(job)
    told = [event["z"] for event in shared_service.events(job) if event["kind"] == "slice"]
    assert told == [0, 1, 2, 3, 0, 1, 2, 3]
    assert ended["slices_done"] == 4
    assert np.array_equal(shared_service.result(job), expected(5, 4))


def kill_at_random(service: RunningService, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(rounds):
        job = service.submit(seed=number, slices=15, delay_ms=4, twice=True)
        time.sleep(chance.uniform(0, 0.3))
        service.kill_worker()
        assert service.wait_ended(job)["state"] == "done"
        assert np.array_equal(service.result(job), expected(number, 15)), number


def test_kills_at_random_moments_leave_the_second_pass_whole(shared_service: RunningService) -> None:
    shared_service.wait_ready()
    kill_at_random(shared_service, 5, seed=6)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_kills_leave_the_second_pass_whole(start_service: Start) -> None:
    service = start_service(idle_seconds=600)
    service.wait_ready()
    kill_at_random(service, 100, seed=7)


def test_a_death_between_disk_and_journal_leaves_a_slice_that_is_made_again(shared_service: RunningService) -> None:
    job = shared_service.submit(seed=8, slices=40, delay_ms=15, twice=True)
    shared_service.wait_event(job, lambda event: event["message"].endswith("5 again"))
    shared_service.ask("POST", f"/v1/jobs/{job}/cancel")
    assert shared_service.wait_ended(job)["slices_done"] == 40
    chunk = shared_service.home / "jobs" / job / "image.zarr/c/0/20/0/0"
    chunk.write_bytes(slice_pixels(9, 20, 32).tobytes())  # as if it was replaced, and the journal never heard of it
    shared_service.ask("POST", f"/v1/jobs/{job}/resume")
    shared_service.wait_event(job, lambda event: event["state"] == "done")
    assert np.array_equal(shared_service.result(job), expected(8, 40))
