"""The disk is full: refused beforehand, paused at run time, nothing corrupt, and everything goes on when there is room."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from medsynth_core import wire
from medsynth_core.engines.fake import slice_pixels
from medsynth_core.errors import JobCancelledError
from medsynth_core.protocol import JobRequest, OutputInfo
from medsynth_core.service import frames, recording
from medsynth_core.service.results import ResultVolume
from medsynth_core.service.training_child import explained
from medsynth_core.volume import Volume
from tests.running import RunningService

Start = Callable[..., RunningService]
MIB = 2**20


def _may_mount() -> bool:
    return (
        os.name == "posix"
        and os.geteuid() == 0
        and subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 24 MiB, where the machine lets us mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not _may_mount() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(folder)]).returncode:
        pytest.skip("mounting a small disk needs root; the tests below show the same without one")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_job_pauses_on_a_full_disk_and_goes_on_when_there_is_room(small_disk: Path, start_service: Start) -> None:
    service = start_service(small_disk, reserve_bytes=2 * MIB)
    service.wait_ready()
    hog = small_disk / "hog"
    job = service.submit(seed=3, slices=60, size=256, delay_ms=5)
    service.wait_slices(job, 5)
    fill(hog)
    event = service.wait_event(job, lambda event: event["state"] == "paused", 40)
    assert "disk is full" in event["message"]
    made = service.job(job)["slices_done"]
    assert made < 60
    assert service.status()["worker"] == "busy"
    assert service.ask("GET", f"/v1/jobs/{job}/slices/0")[0] == 200
    hog.unlink()
    ended = service.wait_ended(job)
    assert (ended["state"], ended["retries"]) == ("done", 0)
    assert np.array_equal(service.result(job)[0, 59], slice_pixels(3, 59, 256)[0])
    with sqlite3.connect(small_disk / "journal.sqlite3") as journal:
        assert journal.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    journal.close()


def test_a_paused_job_can_be_cancelled(small_disk: Path, start_service: Start) -> None:
    service = start_service(small_disk, reserve_bytes=2 * MIB)
    service.wait_ready()
    job = service.submit(slices=60, size=256, delay_ms=5)
    service.wait_slices(job, 3)
    fill(small_disk / "hog")
    service.wait_event(job, lambda event: event["state"] == "paused", 40)
    status, answer = service.ask("POST", f"/v1/jobs/{job}/cancel")
    if status == 507:  # the hog was quick and took the ballast as well: not even a cancel can be noted down
        assert answer["code"] == "storage_full"
        os.truncate(small_disk / "hog", (small_disk / "hog").stat().st_size - MIB)
        assert service.ask("POST", f"/v1/jobs/{job}/cancel")[0] == 200
    assert service.wait_ended(job, 5)["state"] == "cancelled"


def test_nothing_is_accepted_that_the_disk_cannot_hold(start_service: Start) -> None:
    service = start_service(reserve_bytes=2**60)
    request = {"engine": "fake", "model": "", "inputs": {}}
    status, problem = service.ask("POST", "/v1/jobs", request, Idempotency_Key=uuid.uuid4().hex)
    assert (status, problem["code"]) == (507, "storage_full")
    assert "MEDSYNTH_HOME" in problem["detail"]
    assert str(service.home) not in problem["detail"]
    content = wire.encode(Volume(np.zeros((1, 1, 4, 4), np.uint8)))
    assert service.ask("PUT", f"/v1/arrays/{wire.fingerprint(content)}", content)[0] == 507
    assert service.ask("GET", "/v1/jobs")[1]["jobs"] == []


def fill(hog: Path) -> None:
    """Leave no room, however the running job moves."""
    with hog.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(bytes(64 * 1024))
            except OSError:
                return


OUTPUT = OutputInfo("image", "image", (1, 4, 8, 8), "uint8", tuple(map(tuple, np.eye(4).tolist())))
RUN = frames.Run("j", JobRequest("fake", "", {}), 1)


def recorder(folder: Path, said: list[frames.Report], wait: Callable[[frames.Run], None]) -> recording.Recorder:
    made = recording.Recorder(RUN, folder, said.append, wait)
    made.take(OUTPUT)
    return made


def test_a_slice_that_found_no_room_is_written_when_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[frames.Report] = []
    waited: list[str] = []
    full = [True, True, False]
    write = ResultVolume.write

    def write_when_there_is_room(self: ResultVolume, z: int, array: np.ndarray) -> str:
        if full.pop(0):
            raise OSError(28, "No space left on device")
        return write(self, z, array)

    taking = recorder(tmp_path, said, lambda run: waited.append(run.job))
    monkeypatch.setattr(ResultVolume, "write", write_when_there_is_room)
    taking.take(recording.Slice("image", 0, slice_pixels(1, 0, 8)))
    assert waited == ["j", "j"]
    assert isinstance(said[-1], frames.SliceWritten)
    assert np.array_equal(ResultVolume(tmp_path, OUTPUT).read(0), slice_pixels(1, 0, 8))


def test_another_error_of_the_disk_is_not_taken_for_a_full_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: ResultVolume, z: int, array: np.ndarray) -> str:
        raise OSError(5, "Input/output error")

    taking = recorder(tmp_path, [], lambda run: pytest.fail("waited"))
    monkeypatch.setattr(ResultVolume, "write", broken)
    with pytest.raises(OSError, match="Input/output"):
        taking.take(recording.Slice("image", 0, slice_pixels(1, 0, 8)))


def test_a_cancel_ends_the_wait_for_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: ResultVolume, z: int, array: np.ndarray) -> str:
        raise OSError(28, "No space left on device")

    def cancelled(run: frames.Run) -> None:
        raise JobCancelledError("cancelled")

    taking = recorder(tmp_path, [], cancelled)
    monkeypatch.setattr(ResultVolume, "write", full)
    with pytest.raises(JobCancelledError):
        taking.take(recording.Slice("image", 0, slice_pixels(1, 0, 8)))
    assert not list(tmp_path.rglob("*.partial"))


def test_weights_that_find_no_room_are_told_of_as_a_full_disk(small_disk: Path) -> None:
    with pytest.raises(SafetensorError) as caught:
        save_file({"weight": torch.zeros(8 * MIB)}, small_disk / "weights.safetensors")
    assert explained(caught.value)[0] == "storage_full"


def test_only_a_full_disk_is_told_of_as_one() -> None:
    full, broken = "I/O error: No space left on device (os error 28)", "I/O error: Input/output error (os error 5)"
    assert explained(SafetensorError(full))[0] == "storage_full"
    with pytest.raises(SafetensorError, match="os error 5"):
        explained(SafetensorError(broken))
