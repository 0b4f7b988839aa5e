"""A service that grows tumor volumes by a script: slices in the order of growth, at any speed, cancelled and resumed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from medsynth_core.engines.tumor.engine import ENGINE
from medsynth_core.errors import MedSynthError, error_from_code
from medsynth_core.protocol import (
    Capabilities,
    DeviceInfo,
    Event,
    EventKind,
    JobInfo,
    JobRequest,
    JobState,
    LabelInfo,
    ModelCard,
    ModelInfo,
    OutputInfo,
    Scalar,
    ServiceStatus,
    WorkerState,
)
from medsynth_core.volume import Volume

DEVICE = DeviceInfo("CPU, 4 cores", "cpu", 16 * 2**30, 9 * 2**30)
LABELS = (LabelInfo(0, "background", "#000000"), LabelInfo(1, "tumor", "#f28e2b"))
FIGURES = {
    **{"volume_ml": 30.0, "volume_ml_min": 2.0, "volume_ml_max": 120.0, "sphericity_min": 0.3, "sphericity_max": 0.8},
    **{f"extent_{axis}_mm": 50.0 for axis in "xyz"},
    **{f"extent_{axis}_mm_min": 15.0 for axis in "xyz"},
    **{f"extent_{axis}_mm_max": 110.0 for axis in "xyz"},
    **{f"head_center_{axis}_mm": 0.0 for axis in "xyz"},
    **{"head_half_x_mm": 70.0, "head_half_y_mm": 90.0, "head_half_z_mm": 70.0},
    **{"slice_mm": 5.0, "stack_mm": 145.0},
}
CARD = ModelCard(
    "lgg-flair", "LGG, FLAIR", "tumor", 1, (128, 128), LABELS, "CC BY-NC-SA", "LGG", commercial_use=False, figures=FIGURES
)


def order_of_growth(count: int) -> list[int]:
    """Return slices from the middle outwards, both ways in turns."""
    return sorted(range(count), key=lambda z: (abs(z - count // 2), z))


@dataclass
class Growth:
    """What the service of the script does, and what it was asked."""

    size: tuple[int, int, int] = (12, 32, 32)
    spacing_mm: tuple[float, float, float] = (10.0, 6.0, 6.0)
    slice_seconds: float = 0.0
    fails_at: int = -1
    models: tuple[ModelCard, ...] = (CARD,)
    notes: dict[str, Scalar] = field(default_factory=lambda: dict(NOTES))
    submitted: list[JobRequest] = field(default_factory=list)
    inputs: list[dict[str, Volume]] = field(default_factory=list)
    jobs: dict[str, GrowingJob] = field(default_factory=dict)
    told: list[tuple[str, int]] = field(default_factory=list)
    holds: threading.Event = field(default_factory=threading.Event)
    hold_after: int = -1


NOTES: dict[str, Scalar] = {
    **{"asked_volume_ml": 30.0, "asked_center_x_mm": 20.0, "asked_center_y_mm": 0.0, "asked_center_z_mm": 10.0},
    **{"got_volume_ml": 27.5, "got_center_x_mm": 23.0, "got_center_y_mm": 4.0, "got_center_z_mm": 10.0},
    **{"got_extent_x_mm": 40.0, "got_extent_y_mm": 38.0, "got_extent_z_mm": 30.0},
}


class GrowingJob:
    """A job whose events are made while they are heard, once."""

    def __init__(self, script: Growth, request: JobRequest, affine: np.ndarray, size: tuple[int, int, int], name: str) -> None:
        self.id, self._script, self._request, self._affine, self._size = name, script, request, affine, size
        self._log: list[Event] = []
        self._made: list[int] = []
        self._cancelled = threading.Event()
        self._state = JobState.QUEUED

    def events(self, after: int = 0) -> Iterator[Event]:
        yield from (event for event in list(self._log) if event.number > after)
        if not self._state.ended:
            yield from self._work()

    def _work(self) -> Iterator[Event]:
        yield self._tell(EventKind.STATE, state=JobState.RUNNING)
        for output in self._outputs():
            yield self._tell(EventKind.OUTPUT, output=output.name, output_info=output)
        count = self._size[0]
        for z in [z for z in order_of_growth(count) if z not in self._made]:
            if len(self._made) == self._script.hold_after:
                while not self._script.holds.wait(0.02) and not self._cancelled.is_set():
                    pass
            if self._cancelled.wait(self._script.slice_seconds) or len(self._made) == self._script.fails_at:
                break
            yield self._tell(EventKind.SLICE, output="latents", z=z)
            for name in ("image", "mask"):
                self._script.told.append((name, z))
                yield self._tell(EventKind.SLICE, output=name, z=z)
            self._made.append(z)
            left = (count - len(self._made)) * self._script.slice_seconds
            yield self._tell(EventKind.PROGRESS, done=len(self._made), total=count, seconds_left=left)
        yield self._tell(EventKind.STATE, state=self._end())

    def _end(self) -> JobState:
        whole = len(self._made) == self._size[0]
        self._state = JobState.DONE if whole else JobState.CANCELLED if self._cancelled.is_set() else JobState.FAILED
        return self._state

    def _tell(self, kind: EventKind, **what: object) -> Event:
        self._log.append(Event(len(self._log) + 1, self.id, kind, time.time(), **what))  # type: ignore[arg-type]
        return self._log[-1]

    def _outputs(self) -> tuple[OutputInfo, ...]:
        place = tuple(map(tuple, self._affine.tolist()))
        dtype = "uint8"
        return (
            OutputInfo("image", "image", (1, *self._size), dtype, place),
            OutputInfo("mask", "labels", (1, *self._size), dtype, place),
            OutputInfo("latents", "state", (8, self._size[0], 8, 8), "float32", place),
        )

    def info(self) -> JobInfo:
        recipe = {"engine": "tumor", "seed": self._request.seed, "synthetic": True, **self._script.notes}
        return JobInfo(self.id, self._state, self._request, time.time(), outputs=self._outputs(), recipe=recipe)

    def wait(self) -> JobInfo:
        if self._state is JobState.CANCELLED:
            raise error_from_code("job_cancelled", "the job was cancelled")
        if self._state is JobState.FAILED:
            raise error_from_code("job_failed", "the script failed: try again")
        return self.info()

    def slice(self, z: int, output: str) -> Volume:
        assert output != "latents", "nobody looks at the state"
        return Volume(self.result(output).array[:, z : z + 1], self._affine)

    def result(self, output: str = "image") -> Volume:
        z, y, x = np.indices(self._size)
        ball = (z / self._size[0] - 0.5) ** 2 + (y / self._size[1] - 0.5) ** 2 + (x / self._size[2] - 0.5) ** 2
        if output == "mask":
            return Volume((ball < 0.05).astype(np.uint8)[None], self._affine)
        pixels = np.where(ball < 0.2, 90 + z % 7, 5) + np.where(ball < 0.05, 120, 0)
        return Volume(pixels.astype(np.uint8)[None], self._affine)

    def cancel(self) -> JobInfo:
        self._cancelled.set()
        return self.info()

    def resume(self) -> JobInfo:
        assert self._state in (JobState.CANCELLED, JobState.FAILED)
        self._cancelled.clear()
        self._script.fails_at = -1
        self._state = JobState.QUEUED
        return self.info()


class GrowingClient:
    """What a session asks of `medsynth_core.client.Client`, answered from a script."""

    def __init__(self, script: Growth) -> None:
        self.script = script

    def capabilities(self) -> Capabilities:
        models = tuple(ModelInfo(card.id, card.engine, card) for card in self.script.models)
        return Capabilities(1, "0", "script", True, DEVICE, (ENGINE.describe(),), models, 1)

    def status(self) -> ServiceStatus:
        loaded = tuple(card.id for card in self.script.models)
        return ServiceStatus("script", WorkerState.READY, DEVICE, 1, loaded_models=loaded)

    def submit(self, engine: str, model: str = "", seed: int = 0, note: str = "", **given: object) -> GrowingJob:
        inputs = {name: value for name, value in given.items() if isinstance(value, Volume)}
        params = {name: value for name, value in given.items() if not isinstance(value, Volume)}
        ENGINE.read_params(params)  # type: ignore[arg-type]
        request = JobRequest(engine, model, dict.fromkeys(inputs, "sha"), seed, params, note=note)  # type: ignore[arg-type]
        self.script.submitted.append(request)
        self.script.inputs.append(inputs)
        background = inputs.get("background")
        size = background.size if background else self.script.size
        affine = background.affine if background else centered(self.script.size, self.script.spacing_mm)
        name = f"job{len(self.script.submitted)}"
        self.script.jobs[name] = GrowingJob(self.script, request, affine, size, name)
        return self.script.jobs[name]

    def job(self, job: str) -> GrowingJob:
        return self.script.jobs[job]

    def load_model(self, model: str) -> ServiceStatus:
        return self.status()

    def unload_model(self, model: str) -> ServiceStatus:
        return self.status()

    def shutdown(self, force: bool = False) -> None:
        raise MedSynthError("the script does not end")

    def close(self) -> None:
        pass


def centered(size: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """Return the affine of a new head as the engine makes it: axes to the left, back and up, the world's origin in the middle."""
    z, y, x = spacing_mm
    affine = np.diag([-x, -y, z, 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(size[::-1]) - 1) / 2)
    return affine
