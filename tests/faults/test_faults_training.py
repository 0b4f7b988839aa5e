"""SIGKILL at random moments of a training: whenever it strikes, the final weights are those of the undisturbed run."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from medsynth_core.client import connect
from medsynth_core.models.folder import verify
from medsynth_core.protocol_training import TrainingRequest
from medsynth_core.training.keeping import Keeping
from medsynth_core.training_client import Trainings
from tests.running import RunningService, wait_for
from tests.toy_pairs import write_pairs

STEPS = 40
FORKS = multiprocessing.get_context("forkserver")  # has loaded the libraries once; every process is a fork of it


def wish(data: Path, steps: int = STEPS) -> TrainingRequest:
    return TrainingRequest("synthesize", str(data), "mine", preset="toy", steps=steps, batch=2)


def session(data: Path, out: Path) -> None:
    """Train, or go on, to the end; the work of one process."""
    import torch

    from medsynth_core.engines._training import order_of, prepared, run_training

    torch.set_num_threads(1)
    order = order_of(wish(data))
    run_training(prepared(wish(data), order), out, "cpu", lambda progress: None)


def train_in_a_process(data: Path, out: Path, until: int = STEPS + 1, delay_s: float = 0.0) -> int:
    """Run a session to its end, or kill it a moment after its log has come to a step; return the last step of the log."""
    process = FORKS.Process(target=session, args=(data, out))
    process.start()
    while process.is_alive() and last_step(out) < until:
        time.sleep(0.002)
    time.sleep(delay_s)
    process.kill() if until <= STEPS else process.join()
    process.join()
    assert until <= STEPS or process.exitcode == 0
    return last_step(out)


def last_step(out: Path) -> int:
    """Return how far the log of a training has come."""
    return max((line.step for line in Keeping(out).lines()), default=0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    FORKS.set_forkserver_preload(["medsynth_core.engines._training", "medsynth_core.engines.synthesize.prepare"])
    return write_pairs(tmp_path_factory.mktemp("data"), 8)


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    for name in ("first", "second"):
        train_in_a_process(data, folder / name)
    assert made(folder / "first") == made(folder / "second"), "twice the same, before anything is compared with it"
    return folder / "second"


def made(out: Path) -> tuple[object, ...]:
    keeping = Keeping(out)
    return (
        verify(out),
        keeping.checkpoint.read_bytes(),
        keeping.lines(),
        {s: keeping.strip(s).read_bytes() for s in keeping.strips()},
    )


@pytest.mark.parametrize("seed", range(3))
def test_three_kills_at_random_leave_the_same_weights_log_and_strips(
    data: Path, undisturbed: Path, tmp_path: Path, seed: int
) -> None:
    met = killed_at_random(data, tmp_path / "model", 3, seed)
    assert all(0 < step < STEPS for step in met), "no kill came too late to matter"
    train_in_a_process(data, tmp_path / "model")
    assert made(tmp_path / "model") == made(undisturbed)


def judged_session(data: Path, out: Path) -> None:
    """Train, or go on, with a judge that learns first; toys have none otherwise."""
    from medsynth_core.engines import _judging
    from medsynth_core.training.recipe import FromPreset

    _judging.SHARE, FromPreset.is_trial = 1, False  # type: ignore[assignment, method-assign]  # in a process of its own
    session(data, out)


def killed_while_it_teaches(data: Path, out: Path, when: str) -> None:
    """Begin a training and kill it as soon as a file of its judge is there."""
    process = FORKS.Process(target=judged_session, args=(data, out))
    process.start()
    wait_for(lambda: (Keeping(out).folder / when).exists() or not process.is_alive(), 60)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL, "it was still at work"


def test_a_kill_while_the_judge_learns_leaves_the_same_model_and_judge(data: Path, tmp_path: Path) -> None:
    for out in (tmp_path / "whole", tmp_path / "killed"):
        for when in ("judge.partial", "judges/segmenter.json", "judge") if out.name == "killed" else ():
            killed_while_it_teaches(data, out, when)
            assert last_step(out) < STEPS
        process = FORKS.Process(target=judged_session, args=(data, out))
        process.start()
        process.join()
        assert process.exitcode == 0
    whole, killed = (verify(tmp_path / name) for name in ("whole", "killed"))
    assert killed == whole
    assert "judge/segmenter.safetensors" in killed.sha256


def killed_at_random(data: Path, out: Path, kills: int, seed: int) -> list[int]:
    """Train up to so many kills, each a little after a step that is drawn; return the steps they met."""
    rng = np.random.default_rng(seed)
    steps = sorted(rng.choice(np.arange(1, STEPS - 4), kills, replace=False).tolist())
    return [train_in_a_process(data, out, step, float(rng.uniform(0, 0.05))) for step in steps]


def child_of(service: RunningService) -> psutil.Process | None:
    """The training child of a service, None while there is none."""
    try:
        children = psutil.Process(service.process.pid).children()
        return next((one for one in children if "medsynth_core.service.training_child" in one.cmdline()), None)
    except psutil.NoSuchProcess:
        return None


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_kills_of_the_services_own_child_leave_the_same_weights(
    start_service: Callable[..., RunningService], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    models = [weights_after(start_service, data, tmp_path / f"home{kills}", kills) for kills in (0, 10)]
    assert models[0] == models[1]


def weights_after(start_service: Callable[..., RunningService], data: Path, home: Path, kills: int) -> dict[str, str]:
    """Return the checksums of a model whose training was killed so often."""
    home.mkdir()
    service, rng = start_service(home, training_retries=20, idle_seconds=600), np.random.default_rng(1)
    with connect(home, start=False) as client:
        trainings = Trainings(client)
        training = trainings.start(wish(data, steps=120)).id
        for beyond in range(0, 10 * kills, 10):
            wait_for(lambda step=beyond: trainings.get(training).step > step and child_of(service) is not None, 300)  # type: ignore[misc]
            time.sleep(rng.uniform(0, 1))
            if (child := child_of(service)) is not None:
                os.kill(child.pid, signal.SIGKILL)
        info = trainings.wait(training, 600)
    assert (info.state, info.error) == ("done", "")
    assert info.retries >= kills - 2, "a kill may meet the last moments of the one before"
    service.kill()
    return verify(home / "models" / "mine").sha256
