"""A client whose refiner is a script: it grows a mask by one pixel, and fails where it is told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from medsynth_core.engines.refine.engine import ENGINE
from medsynth_core.errors import MedSynthError, error_from_code
from medsynth_core.kept import PREFIX
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
from medsynth_core.volume import Volume
from tests.scripted import DEVICE, as_params

REFINER = ModelCard("refiner", "Refiner", "refine", 3, (96, 96), (), "CC BY 4.0", "PolypGen", sha256={"a": "1"})
OTHER = ModelCard("other", "Other refiner", "refine", 3, (96, 96), (), "CC0", "ours", sha256={"a": "2"})
POLYP = (LabelInfo(0, "background", "#000000"), LabelInfo(1, "polyp", "#59a14f"))
COARSE = ModelCard(
    "polyp-coarse", "Coarse", "refine", 3, (96, 96), POLYP, "CC BY 4.0", "PolypGen", role="coarse", sha256={"a": "3"}
)


@dataclass
class Script:
    """What the refiner does: seconds a job takes, the error code of an image whose first pixel has a value, labels it keeps."""

    job_seconds: float = 0.0
    fails: dict[int, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    models: tuple[ModelCard, ...] = (REFINER, OTHER, COARSE)
    submitted: list[JobRequest] = field(default_factory=list)
    given: list[dict[str, Volume]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    raises: MedSynthError | None = None
    running: int = 0
    most_running: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class ScriptedJob:
    """A job that ends after `job_seconds` with the mask grown by one pixel."""

    def __init__(self, script: Script, request: JobRequest, given: dict[str, Volume], name: str) -> None:
        self.id, self._script, self._request, self._given = name, script, request, given
        self._cancelled = threading.Event()
        self._state = JobState.QUEUED
        self._fault = script.fails.get(int(given["image"].array.flat[0]), "")

    def __iter__(self) -> Iterator[Event]:
        self._count(1)
        try:
            yield Event(1, self.id, EventKind.STATE, time.time(), state=JobState.RUNNING)
            for step in range(4):
                if self._cancelled.wait(self._script.job_seconds / 4):
                    break
                left = self._script.job_seconds * (3 - step) / 4
                yield Event(2 + step, self.id, EventKind.PROGRESS, time.time(), done=step + 1, total=4, seconds_left=left)
            self._state = self._end()
            yield Event(9, self.id, EventKind.STATE, time.time(), state=self._state)
        finally:
            self._count(-1)

    def _count(self, one: int) -> None:
        with self._script.lock:
            self._script.running += one
            self._script.most_running = max(self._script.most_running, self._script.running)

    def _end(self) -> JobState:
        if self._cancelled.is_set():
            return JobState.CANCELLED
        return JobState.FAILED if self._fault else JobState.DONE

    def info(self) -> JobInfo:
        recipe = {"engine": "refine", "model": self._request.model, "seed": self._request.seed, "synthetic": False}
        recipe |= {f"{PREFIX}{place}": what for place, what in self._script.kept.items()}
        affine = tuple(map(tuple, self._given["image"].affine.tolist()))
        outputs = tuple(
            OutputInfo(n, "labels", (1, *self._given["image"].size), "uint8", affine) for n in ("mask", "uncertainty")
        )
        return JobInfo(self.id, self._state, self._request, 1.0, 2.0, 3.5, outputs=outputs, recipe=recipe)

    def result(self, output: str = "") -> Volume:
        if self._state is JobState.CANCELLED:
            raise error_from_code("job_cancelled", "the job was cancelled")
        if self._state is JobState.FAILED:
            raise error_from_code(self._fault, "the script failed: try again")
        image = self._given["image"]
        before = self._given["mask"].array if "mask" in self._given else (image.array[:1] > 100).astype(np.uint8)
        after = np.maximum.reduce([np.roll(before, by, axis) for axis in (2, 3) for by in (-1, 0, 1)])
        return Volume(after if output == "mask" else ((after != before) * 255).astype(np.uint8), image.affine)

    def cancel(self) -> JobInfo:
        with self._script.lock:
            self._script.cancelled.append(self.id)
        self._cancelled.set()
        return self.info()


class ScriptedRefiner:
    """What `msynth refine` asks of `medsynth_core.client.Client`, answered from a script."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def __enter__(self) -> ScriptedRefiner:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def capabilities(self) -> Capabilities:
        self._heed()
        models = tuple(ModelInfo(card.id, card.engine, card) for card in self.script.models)
        return Capabilities(1, "0", "script", True, DEVICE, (ENGINE.describe(),), models, 1)

    def submit(self, engine: str, model: str = "", seed: int = 0, note: str = "", **given: object) -> ScriptedJob:
        self._heed()
        volumes = {name: given.pop(name) for name in ("image", "mask", "locked") if name in given}
        assert all(isinstance(volume, Volume) for volume in volumes.values())
        request = JobRequest(engine, model, dict.fromkeys(volumes, "sha"), seed, as_params(given), note=note)
        with self.script.lock:
            self.script.submitted.append(request)
            self.script.given.append(volumes)  # type: ignore[arg-type]
            name = f"job{len(self.script.submitted)}"
        return ScriptedJob(self.script, request, volumes, name)  # type: ignore[arg-type]

    def _heed(self) -> None:
        if self.script.raises is not None:
            raise self.script.raises
