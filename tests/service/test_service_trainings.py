"""Trainings with the real service and a real process: through kills of both to a model that every client has at once."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from PIL import Image

from medsynth_core.client import connect
from medsynth_core.errors import NotFoundError, ServiceError, TrainingDataError
from medsynth_core.models.folder import verify
from medsynth_core.protocol_training import TrainingRequest
from medsynth_core.training_client import Trainings
from tests.running import RunningService, wait_for
from tests.toy_pairs import write_pairs

CANARY = "patient-doe"


def child_of(service: RunningService) -> psutil.Process | None:
    """The training child of a service, None while there is none."""
    children = psutil.Process(service.process.pid).children()
    return next((one for one in children if "medsynth_core.service.training_child" in one.cmdline()), None)


@pytest.mark.timeout(800)
def test_a_training_outlives_its_viewer_its_process_and_its_service(
    start_service: Callable[..., RunningService], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    data = write_pairs(tmp_path / CANARY, 8)
    service = start_service(idle_seconds=1, lease_seconds=1)
    with connect(home, start=False) as viewer:
        request = TrainingRequest("synthesize", str(data), "mine", preset="toy", steps=60, batch=2, labels={"1": "disc"})
        training = Trainings(viewer).start(request).id
        waiting = Trainings(viewer).start(TrainingRequest("synthesize", str(data), "next", preset="toy", base="polyp")).id
        assert Trainings(viewer).get(waiting).state == "queued"
        Trainings(viewer).remove(waiting)
    with connect(home, start=False) as watcher:
        watched = Trainings(watcher)
        wait_for(lambda: watched.get(training).step > 5, 200)
        child = child_of(service)
        assert child is not None
        assert child.nice() >= min(19, os.nice(0) + 10), "a viewer and the worker come first"
        os.kill(child.pid, signal.SIGKILL)
        wait_for(lambda: watched.get(training).retries == 1, 10)
        with pytest.raises(ServiceError, match="trainings"):
            watcher.shutdown()
        wait_for(lambda: watched.get(training).step > 12, 200)
    assert service.process.poll() is None, "no client is there, but a training"
    orphan = child_of(service)
    service.kill()
    assert orphan is not None
    wait_for(lambda: not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE, 20)
    service.start()
    with connect(home, start=False) as viewer:
        trainings = Trainings(viewer)
        info = trainings.wait(training, 300)
        assert (info.state, info.error, info.step) == ("done", "", 60)
        assert "mine" in {model.id for model in viewer.capabilities().models}
        assert [line.step for line in trainings.lines(training, after=50)][-1] == 60
        assert Image.open(io.BytesIO(trainings.strip(training, info.strips[-1]))).size[0] >= 32, "a case to choose by"
        with pytest.raises(NotFoundError, match="strip"):
            trainings.strip(training, 7)
    card = verify(home / "models" / "mine")
    assert card.labels[1].name == "disc"
    logs = [path.read_text() for path in home.rglob("*.log*")]
    assert any("training synthesize of 60 steps" in log for log in logs)
    assert not [log for log in logs if CANARY in log or "case0" in log]


@pytest.mark.timeout(400)
def test_an_engine_whose_batches_are_made_in_a_process_of_their_own_trains_is_killed_and_goes_on(
    start_service: Callable[..., RunningService], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    data = write_pairs(tmp_path / CANARY, 8)
    service = start_service()
    with connect(home, start=False) as client:
        trainings = Trainings(client)
        training = trainings.start(TrainingRequest("refine", str(data), "mine", preset="toy", steps=20)).id
        wait_for(lambda: trainings.get(training).step > 5, 120)
        child = child_of(service)
        assert child is not None
        ahead = child.children()
        os.kill(child.pid, signal.SIGKILL)
        info = trainings.wait(training, 200)
        assert (info.state, info.error, info.step, info.retries) == ("done", "", 20, 1)
    wait_for(lambda: not [one for one in ahead if one.is_running() and one.status() != psutil.STATUS_ZOMBIE], 30)


@pytest.mark.timeout(200)
def test_a_folder_that_cannot_be_learned_from_fails_with_every_offender(
    start_service: Callable[..., RunningService], home: Path, tmp_path: Path
) -> None:
    data = write_pairs(tmp_path / CANARY, 4)
    (data / "masks" / "case01.png").unlink()
    start_service()
    with connect(home, start=False) as client:
        trainings = Trainings(client)
        info = trainings.wait(trainings.start(TrainingRequest("synthesize", str(data), "mine", preset="toy")).id, 120)
        assert (info.state, info.error_code, info.retries) == ("failed", TrainingDataError.code, 0)
        assert "case01.png" in info.error
        assert str(tmp_path) not in info.error
        assert "mine" not in {model.id for model in client.capabilities().models}
    assert not [path for path in home.rglob("*.log*") if "case01" in path.read_text()]


@pytest.mark.timeout(400)
def test_the_doctor_names_a_planted_defect_and_shows_it(
    start_service: Callable[..., RunningService], home: Path, tmp_path: Path
) -> None:
    data = write_pairs(tmp_path / CANARY, 8)
    Image.new("L", (32, 32)).save(data / "masks" / "case03.png")
    start_service()
    request = TrainingRequest("synthesize", str(data), "mine", preset="toy")
    with connect(home, start=False) as client:
        looking = Trainings(client).look(request)
        wait_for(lambda: looking.get() is not None, 180)
        report = looking.get()
        assert report is not None
        assert not report.ready
        named = next(finding for finding in report.findings if finding.cases == ("case03",))
        assert (named.defect, named.severity) == ("empty mask", "stops")
        assert Image.open(io.BytesIO(looking.thumbnail(named.thumbnails[0]))).size[0] > 8
        looking.dismiss()
        with pytest.raises(NotFoundError):
            looking.get()
        assert Trainings(client).examine(replace(request, excluded=("case03",))).ready
    assert not [path for path in home.rglob("*.log*") if CANARY in path.read_text() or "case03" in path.read_text()]
