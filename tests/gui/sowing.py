"""A service that sows nuclei by a script: disks where there is room, painted violet on pink, at any speed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from medsynth_core.engines.nuclei.engine import COMPLETE, ENGINE, KEEP
from medsynth_core.errors import MedSynthError, error_from_code
from medsynth_core.protocol import (
    Capabilities,
    DeviceInfo,
    Event,
    EventKind,
    JobInfo,
    JobRequest,
    JobState,
    ModelCard,
    ModelInfo,
    OutputInfo,
    ServiceStatus,
    WorkerState,
)
from medsynth_core.volume import Volume

DEVICE = DeviceInfo("CPU, 4 cores", "cpu", 16 * 2**30, 9 * 2**30)
FIGURES = {
    **{"density_p5": 5.0, "density_p25": 12.0, "density_p50": 20.0, "density_p75": 30.0, "density_p95": 60.0},
    **{"area_px_p5": 100.0, "area_px_p25": 180.0, "area_px_p50": 280.0, "area_px_p75": 400.0, "area_px_p95": 700.0},
}
CARD = ModelCard("nuclei-he", "Nuclei in H&E", "nuclei", 3, (256, 256), (), "Apache-2.0", "NuInsSeg", fit="tile", figures=FIGURES)
KINDS = {"image": ("image", 3, "uint8"), "instances": ("labels", 1, "uint16"), "structure": ("state", 3, "float32")}


@dataclass
class Sowing:
    """What the service of the script does, and what it was asked. It stops before a tile, or the end, while `hold` is set.

    `notes` are put into every recipe.
    """

    models: tuple[ModelCard, ...] = (CARD,)
    side: int = 64
    hold_at: int = -1
    fails_at: int = -1
    notes: dict[str, object] = field(default_factory=dict)
    holds: threading.Event = field(default_factory=threading.Event)
    submitted: list[JobRequest] = field(default_factory=list)
    inputs: list[dict[str, Volume]] = field(default_factory=list)
    jobs: list[SowingJob] = field(default_factory=list)


class SowingJob:
    """A job whose tiles are made while they are heard."""

    def __init__(self, script: Sowing, request: JobRequest, inputs: dict[str, Volume], name: str) -> None:
        self.id, self._script, self._request, self._inputs = name, script, request, inputs
        self._cancelled = threading.Event()
        self._state = JobState.QUEUED
        self._number = 0
        given, asked = inputs.get("mask"), request.params
        tiles = int(asked.get("slices", 1))
        sides = [int(asked.get(name, 0)) or script.side for name in ("height", "width")]
        self._size = (tiles, *given.size[1:]) if given else (tiles, *sides)
        self._affine = given.affine if given else np.eye(4)

    def events(self, after: int = 0) -> Iterator[Event]:
        yield self._tell(EventKind.STATE, state=JobState.RUNNING)
        for output in self.info().outputs:
            yield self._tell(EventKind.OUTPUT, output=output.name, output_info=output)
        for z in range(self._size[0]):
            if z == self._script.hold_at:
                while not self._script.holds.wait(0.02) and not self._cancelled.is_set():
                    pass
            if self._cancelled.is_set() or z == self._script.fails_at:
                break
            for name in ("instances", "structure", "image"):
                yield self._tell(EventKind.SLICE, output=name, z=z)
            yield self._tell(EventKind.PROGRESS, done=z + 1, total=self._size[0], seconds_left=0.5)
        else:
            self._state = JobState.DONE
        if self._state is not JobState.DONE:
            self._state = JobState.CANCELLED if self._cancelled.is_set() else JobState.FAILED
        yield self._tell(EventKind.STATE, state=self._state)

    def _tell(self, kind: EventKind, **what: object) -> Event:
        self._number += 1
        return Event(self._number, self.id, kind, time.time(), **what)  # type: ignore[arg-type]

    def info(self) -> JobInfo:
        place = tuple(map(tuple, self._affine.tolist()))
        outputs = tuple(OutputInfo(n, kind, (c, *self._size), dtype, place) for n, (kind, c, dtype) in KINDS.items())
        recipe = {"engine": "nuclei", "seed": self._request.seed, "params": dict(self._request.params), "synthetic": True}
        recipe |= self._script.notes
        return JobInfo(self.id, self._state, self._request, time.time(), outputs=outputs, recipe=recipe)

    def wait(self) -> JobInfo:
        if self._state is JobState.CANCELLED:
            raise error_from_code("job_cancelled", "the job was cancelled")
        if self._state is JobState.FAILED:
            raise error_from_code("job_failed", "the script failed: try again")
        return self.info()

    def slice(self, z: int, output: str) -> Volume:
        assert output != "structure", "nobody looks at the state"
        return Volume(self.instances(z)[None, None] if output == "instances" else self.image(z)[:, None], self._affine)

    def result(self, output: str = "") -> Volume:
        self.wait()
        planes = [self.instances(z)[None] if output == "instances" else self.image(z) for z in range(self._size[0])]
        return Volume(np.stack(planes, axis=1), self._affine)

    def instances(self, z: int) -> np.ndarray:
        """Return the nuclei (y, x) of a tile."""
        shape, given = self._size[1:], self._inputs.get("mask")
        field_ = np.zeros(shape, np.uint16) if given is None else given.array[0, 0].astype(np.uint16)
        if given is not None and self._request.params.get("given", KEEP) != COMPLETE:
            return field_
        rng = np.random.default_rng(self._request.seed + z)
        y, x = np.indices(shape)
        for _ in range(12):
            cy, cx = rng.integers(6, np.array(shape) - 6)
            disk = (y - cy) ** 2 + (x - cx) ** 2 <= 25
            around = (y - cy) ** 2 + (x - cx) ** 2 <= 64
            if not field_[around].any():
                field_[disk] = field_.max() + 1
        return field_

    def image(self, z: int) -> np.ndarray:
        """Return the image (3, y, x) of a tile."""
        rng = np.random.default_rng(self._request.seed + z)
        nuclei = self.instances(z) > 0
        made = np.where(nuclei, np.array([90, 60, 140])[:, None, None], np.array([225, 170, 205])[:, None, None])
        made = (made + rng.integers(-15, 15, made.shape)).astype(np.uint8)
        if "region" not in self._inputs:
            return made
        return np.where(self._inputs["region"].array[0, 0] != 0, made, self._inputs["image"].array[:, 0]).astype(np.uint8)

    def cancel(self) -> JobInfo:
        self._cancelled.set()
        return self.info()


class SowingClient:
    """What a session asks of `medsynth_core.client.Client`, answered from a script."""

    def __init__(self, script: Sowing) -> None:
        self.script = script

    def capabilities(self) -> Capabilities:
        models = tuple(ModelInfo(card.id, card.engine, card) for card in self.script.models)
        return Capabilities(1, "0", "script", True, DEVICE, (ENGINE.describe(),), models, 1)

    def status(self) -> ServiceStatus:
        loaded = tuple(card.id for card in self.script.models)
        return ServiceStatus("script", WorkerState.READY, DEVICE, 1, loaded_models=loaded)

    def submit(self, engine: str, model: str = "", seed: int = 0, note: str = "", **given: object) -> SowingJob:
        inputs = {name: value for name, value in given.items() if isinstance(value, Volume)}
        params = {name: value for name, value in given.items() if not isinstance(value, Volume)}
        ENGINE.read_params(params)  # type: ignore[arg-type]
        request = JobRequest(engine, model, dict.fromkeys(inputs, "sha"), seed, params, note=note)  # type: ignore[arg-type]
        self.script.submitted.append(request)
        self.script.inputs.append(inputs)
        self.script.jobs.append(SowingJob(self.script, request, inputs, f"job{len(self.script.submitted)}"))
        return self.script.jobs[-1]

    def load_model(self, model: str) -> ServiceStatus:
        return self.status()

    def unload_model(self, model: str) -> ServiceStatus:
        return self.status()

    def shutdown(self, force: bool = False) -> None:
        raise MedSynthError("the script does not end")

    def close(self) -> None:
        pass
