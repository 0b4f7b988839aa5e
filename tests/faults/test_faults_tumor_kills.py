"""Twenty deaths at random moments of a growing volume, with the real recorder and disk: no byte differs in the end.

The growing process stands for the worker and this one for the service: it keeps what it was told, checks it against the disk
and starts the next process with what is sound. A server that has loaded torch once forks the processes, so each starts at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import random
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medsynth_core.engines._base import Task
from medsynth_core.engines.tumor.engine import ENGINE
from medsynth_core.engines.tumor.model import load_model
from medsynth_core.protocol import JobRequest, JobState, OutputInfo
from medsynth_core.service import frames
from medsynth_core.service.recording import Recorder
from medsynth_core.service.results import ResultVolume
from tests.toy_tumor import LESION, head, write_tumor_model

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork server")
KILLS = 20
PRELOADED = ["medsynth_core.engines.tumor.model", "medsynth_core.service.recording"]
CASES: dict[str, tuple[bool, dict[str, Any]]] = {
    "new": (False, {"slices": 14, "anchor": 5, "cleanup": True}),
    "kept background": (True, LESION | {"cleanup": True}),
}


def work(model: Path, kept: bool, asked: dict[str, Any], run: frames.Run, folder: Path, said: Connection) -> None:
    """Be the worker: run the engine and record what it yields."""
    torch.set_num_threads(1)
    recorder = Recorder(run, folder, said.send, lambda run: None)
    params, _ = ENGINE.read_params({"steps": 1, "guidance": 1.0} | asked)
    inputs = {"background": head(14, 40)} if kept else {}
    for event in ENGINE.run(Task(inputs, params, 3, load_model(model), finished=recorder.finished_slices())):
        recorder.take(event)
    recorder.finish()
    said.send(frames.Ended("j", JobState.DONE))


class Attempts:
    """A job that is started again and again, and what the journal knows of it."""

    def __init__(self, model: Path, case: tuple[bool, dict[str, Any]], folder: Path) -> None:
        self._model, (self._keeps, self._asked), self.folder = model, case, folder
        self._outputs: dict[str, OutputInfo] = {}
        self._journal: dict[tuple[str, int], str] = {}
        self.told = self._attempt = 0

    def run(self, dies_after: float = float("inf"), forgets: bool = False) -> bool:
        """Start a worker, kill it when it has told of so many slices; return whether it came to its end before.

        `forgets`: what it told in its last moment is lost with it, so the disk knows more than the journal.
        """
        self._attempt += 1  # from the second on, what the one before left in the midst of a write is swept away
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        here, there = context.Pipe(duplex=False)
        arguments = (self._model, self._keeps, self._asked, self._resumed(), self.folder, there)
        worker = context.Process(target=work, args=arguments, daemon=True)
        worker.start()
        there.close()
        self.told = 0
        ended = False
        with contextlib.suppress(EOFError, OSError):  # the second: cut off within a message
            while not (ended := self._hear(here.recv())) and self.told < dies_after:
                pass
            if not ended:
                worker.kill()
            while not ended and not forgets:
                ended = self._hear(here.recv())
        worker.join()
        assert worker.exitcode in (0, -signal.SIGKILL), "it ended by itself before its time"
        here.close()
        return ended

    def _resumed(self) -> frames.Run:
        places = {name: ResultVolume(self.folder, info) for name, info in self._outputs.items()}
        self._journal = {(name, z): sha for (name, z), sha in self._journal.items() if places[name].is_sound(z, sha)}
        kept = tuple(frames.KeptSlice(name, z, sha) for (name, z), sha in self._journal.items())
        return frames.Run("j", JobRequest("tumor", "", {}), self._attempt, tuple(self._outputs.values()), kept)

    def _hear(self, report: frames.Report) -> bool:
        match report:
            case frames.Announced(_, output):
                self._outputs[output.name] = output
            case frames.SliceWritten(_, output, z, sha256):
                self._journal[output, z] = sha256
                self.told += 1
        return isinstance(report, frames.Ended)

    def hashes(self) -> dict[str, str]:
        """Return the sha256 of each output as it lies on disk."""
        made = {}
        for name, info in self._outputs.items():
            volume = ResultVolume(self.folder, info)
            made[name] = hashlib.sha256(np.stack([volume.read(z) for z in range(info.shape[1])]).tobytes()).hexdigest()
        return made


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_ten_kills_each_at_random_moments_change_no_byte(tmp_path: Path, case: tuple[bool, dict[str, Any]]) -> None:
    model = write_tumor_model(tmp_path / "toy-tumor")
    chance = random.Random(4)
    undisturbed = Attempts(model, case, tmp_path / "undisturbed")
    assert undisturbed.run()
    expected, total = undisturbed.hashes(), undisturbed.told
    assert set(expected) == {"image", "mask", "latents", "clean_latents"}
    killed = 0
    while killed < KILLS // len(CASES):
        job = Attempts(model, case, tmp_path / f"killed {killed}")
        while not job.run(dies_after=chance.randint(1, total // 2), forgets=chance.random() < 0.5):
            killed += 1
        assert job.hashes() == expected, killed
    assert not list(tmp_path.rglob("*.partial"))
