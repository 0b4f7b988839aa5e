"""A client whose tumor engine is a script: it paints a ball, keeps its jobs like the service, and fails where it is told to."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from medsynth_core.engines.tumor.engine import ENGINE
from medsynth_core.errors import JobCancelledError, MedSynthError, NotFoundError, error_from_code
from medsynth_core.protocol import (
    Capabilities,
    Event,
    EventKind,
    JobInfo,
    JobRequest,
    JobState,
    LabelInfo,
    ModelCard,
    ModelInfo,
    OutputInfo,
)
from medsynth_core.quality import KEY, Badge
from medsynth_core.volume import Volume
from tests.scripted import DEVICE, as_params

LABELS = (LabelInfo(0, "background", "#000000"), LabelInfo(1, "tumor", "#f28e2b"))
LGG = ModelCard("lgg-flair", "LGG FLAIR", "tumor", 1, (128, 128), LABELS, "CC BY-NC-SA 4.0", "LGG", sha256={"a": "1"})
OTHER = ModelCard("other", "Other", "tumor", 1, (128, 128), LABELS, "CC0", "ours", sha256={"a": "2"})
SIZE, SPACING = (5, 8, 6), (3.0, 2.0, 2.5)


@dataclass
class Script:
    """What the service does.

    `fails` maps a seed to the error code of its job, `stops` a seed to the slice Ctrl-C comes at, `badges` a seed to its badge.
    """

    models: tuple[ModelCard, ...] = (LGG, OTHER)
    fails: dict[int, str] = field(default_factory=dict)
    stops: dict[int, int] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    badges: dict[int, Badge] = field(default_factory=dict)
    raises: MedSynthError | None = None
    empty: bool = False
    submitted: list[JobRequest] = field(default_factory=list)
    given: list[dict[str, Volume]] = field(default_factory=list)
    jobs: dict[str, ScriptedJob] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    computed: int = 0


class ScriptedJob:
    """A job that grows as it is followed, and keeps its slices when it is cancelled."""

    def __init__(self, script: Script, request: JobRequest, background: Volume | None, name: str) -> None:
        self.id, self._script, self.request, self._background = name, script, request, background
        self.now = JobState.QUEUED
        self.done = 0
        self._numbers = itertools.count(1)

    def __iter__(self) -> Iterator[Event]:
        if not self.now.ended:
            self.now = JobState.RUNNING
            yield self._event(EventKind.STATE, state=JobState.RUNNING)
            yield from self._grow()
            if not self.now.ended:
                self.now = JobState.FAILED if self.request.seed in self._script.fails else JobState.DONE
        yield self._event(EventKind.STATE, state=self.now)

    def _grow(self) -> Iterator[Event]:
        while self.done < SIZE[0] and not self.now.ended:
            if self._script.stops.get(self.request.seed) == self.done:
                del self._script.stops[self.request.seed]
                raise KeyboardInterrupt
            self.done += 1
            self._script.computed += 1
            yield self._event(EventKind.PROGRESS, done=self.done, total=SIZE[0], seconds_left=2.0 * (SIZE[0] - self.done))

    def _event(self, kind: EventKind, **facts: Any) -> Event:
        return Event(next(self._numbers), self.id, kind, time.time(), **facts)

    @property
    def state(self) -> JobState:
        return self.now

    def info(self) -> JobInfo:
        card = next(card for card in self._script.models if card.id == self.request.model)
        params = {**self.request.params}
        recipe = {"engine": "tumor", "model": card.id, "model_sha256": f"sha-{card.id}", "seed": self.request.seed}
        recipe |= {"params": params, "inputs": dict(self.request.inputs), "code_version": "0", "synthetic": True}
        recipe |= {"device": "CPU", "asked_volume_ml": 20.0, "got_volume_ml": 19.5} | self._script.notes
        if (badge := self._script.badges.get(self.request.seed)) is not None:
            recipe[KEY] = badge.record()
        place = tuple(map(tuple, self._affine().tolist()))
        kinds = {"image": ("image", "uint8"), "mask": ("labels", "uint8"), "latents": ("state", "float32")}
        outputs = tuple(OutputInfo(name, kind, (1, *SIZE), dtype, place) for name, (kind, dtype) in kinds.items())
        return JobInfo(self.id, self.now, self.request, 1.0, 2.0, 3.5, outputs=outputs, recipe=recipe)

    def result(self, output: str = "") -> Volume:
        self._script.fetched.append(output)
        if self.now is JobState.CANCELLED:
            raise JobCancelledError("the job was cancelled; the slices made before are kept")
        if self.now is JobState.FAILED:
            raise error_from_code(self._script.fails[self.request.seed], "the script failed: try again")
        if output == "mask":
            return Volume(np.zeros((1, *self._size()), np.uint8) if self._script.empty else self._ball(), self._affine())
        noise = np.random.default_rng(self.request.seed).integers(20, 200, (1, *self._size()))
        dtype = np.uint8 if self._background is None else self._background.array.dtype
        return Volume(noise.astype(dtype), self._affine())

    def _size(self) -> tuple[int, int, int]:
        return SIZE if self._background is None else self._background.size

    def _ball(self) -> np.ndarray:
        middle = np.array(self._size()) // 2
        far = np.linalg.norm(np.argwhere(np.ones(self._size())) - middle, axis=1)
        return (far.reshape(1, *self._size()) < 2.5).astype(np.uint8)

    def _affine(self) -> np.ndarray:
        if self._background is not None:
            return self._background.affine
        z, y, x = SPACING
        affine = np.diag([-x, -y, z, 1.0])
        affine[:3, 3] = -affine[:3, :3] @ ((np.array(SIZE)[::-1] - 1) / 2)
        return affine

    def cancel(self) -> JobInfo:
        self._script.cancelled.append(self.id)
        if not self.now.ended:
            self.now = JobState.CANCELLED
        return self.info()

    def resume(self) -> JobInfo:
        assert self.now in (JobState.CANCELLED, JobState.FAILED)
        self._script.resumed.append(self.id)
        self.now = JobState.QUEUED
        return self.info()


class ScriptedGrower:
    """What `msynth tumor` asks of `medsynth_core.client.Client`, answered from a script."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def __enter__(self) -> ScriptedGrower:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def capabilities(self) -> Capabilities:
        self._heed()
        models = tuple(ModelInfo(card.id, card.engine, card) for card in self.script.models)
        return Capabilities(1, "0", "script", True, DEVICE, (ENGINE.describe(),), models, 1)

    def submit(self, engine: str, model: str = "", seed: int = 0, note: str = "", **given: object) -> ScriptedJob:
        self._heed()
        background = given.pop("background", None)
        assert background is None or isinstance(background, Volume)
        inputs = {} if background is None else {"background": "sha"}
        request = JobRequest(engine, model, inputs, seed, as_params(given), note=note)
        self.script.submitted.append(request)
        self.script.given.append({} if background is None else {"background": background})
        job = ScriptedJob(self.script, request, background, f"job{len(self.script.submitted)}")
        self.script.jobs[job.id] = job
        return job

    def job(self, name: str) -> ScriptedJob:
        if name not in self.script.jobs:
            raise NotFoundError(f"there is no job {name}")
        return self.script.jobs[name]

    def _heed(self) -> None:
        if self.script.raises is not None:
            raise self.script.raises
