"""A client whose service is a script: models to synthesize and to refine, answers made on the spot, faults on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from medsynth_core.errors import MedSynthError, NotFoundError, error_from_code
from medsynth_core.protocol import (
    Capabilities,
    DeviceInfo,
    EngineInfo,
    Event,
    EventKind,
    InputInfo,
    JobInfo,
    JobRequest,
    JobState,
    LabelInfo,
    ModelCard,
    ModelInfo,
    OutputInfo,
    ParamInfo,
    ParamKind,
    ServiceStatus,
    WorkerState,
)
from medsynth_core.quality import KEY, Badge
from medsynth_core.strength import STRENGTHS
from medsynth_core.volume import Volume

BACKGROUND = LabelInfo(0, "background", "#000000")
TUMOR = LabelInfo(1, "tumor", "#f28e2b")
POLYP = LabelInfo(1, "polyp", "#59a14f")
TYPES = ("glioma", "meningioma", "pituitary")
PLANES = ("axial", "coronal", "sagittal")
BRAIN = ModelCard(
    "brain-slice",
    "Brain slice (T1c)",
    "synthesize",
    1,
    (128, 128),
    (BACKGROUND, TUMOR),
    "CC BY 4.0",
    "BRISC 2025",
    options=(
        ParamInfo("tumor", "Tumor", ParamKind.CHOICE, "meningioma", choices=TYPES),
        ParamInfo("plane", "Plane", ParamKind.CHOICE, "axial", choices=PLANES),
    ),
)
FRAME = ModelCard("polyp", "Polyp (colonoscopy)", "synthesize", 3, (128, 128), (BACKGROUND, POLYP), "CC BY 4.0", "PolypGen")
SYNTHESIZE = EngineInfo(
    "synthesize",
    "An image from a mask",
    inputs=(InputInfo("mask", "Mask", "labels"),),
    params=(
        ParamInfo("steps", "Steps", ParamKind.CHOICE, 4, choices=(1, 2, 4), help="more steps look better and take longer"),
        ParamInfo("guidance", "Guidance", ParamKind.NUMBER, 1.0, 0.0, 4.0, advanced=True),
    ),
)
REFINER = ModelCard("refiner", "Refiner", "refine", 3, (128, 128), (), "CC BY 4.0", "several", fit="tile")
COARSE = ModelCard("polyp-coarse", "Polyp, coarse", "refine", 3, (128, 128), (), "CC BY 4.0", "PolypGen", role="coarse")
REFINE = EngineInfo(
    "refine",
    "A better boundary",
    inputs=(
        InputInfo("image", "Image", "image"),
        InputInfo("mask", "Mask", "labels", required=False),
        InputInfo("locked", "Locked", "labels", required=False),
    ),
    params=(
        ParamInfo("steps", "Steps", ParamKind.INTEGER, 6, 1, 50),
        ParamInfo("samples", "Runs", ParamKind.INTEGER, 1, 1, 32),
        ParamInfo("strength", "Strength", ParamKind.CHOICE, "redraw", choices=tuple(STRENGTHS)),
        ParamInfo("axis", "Slice along", ParamKind.CHOICE, "z", choices=("z", "y", "x"), advanced=True),
        ParamInfo("coarse", "Coarse network", ParamKind.TEXT, "", advanced=True),
        ParamInfo("smooth", "Smooth boundary", ParamKind.NUMBER, 0.0, 0.0, 20.0, unit="px", advanced=True),
    ),
    synthetic=False,
)
DEVICE = DeviceInfo("CPU, 4 cores", "cpu", 16 * 2**30, 9 * 2**30)


def shifted(mask: np.ndarray) -> np.ndarray:
    """Return labels (z, y, x) moved by two pixels to the right: something is added there, something removed on the left."""
    return np.roll(mask, 2, axis=2)


def drawn(image: Volume) -> Volume:
    """Return the first mask of an image: a square in its middle."""
    _, y, x = image.size
    mask = np.zeros((1, *image.size), np.uint8)
    mask[..., y // 3 : y // 2, x // 3 : x // 2] = 1
    return Volume(mask, image.affine)


@dataclass
class Script:
    """What the service of the script does: seconds a job takes, the error it ends with, what it says of itself.

    `refines` makes the refined labels (z, y, x); `notes` are put into the recipe, and the badge of a seed.
    """

    job_seconds: float = 0.0
    fails_with: str = ""
    worker: WorkerState = WorkerState.READY
    device: DeviceInfo = DEVICE
    models: tuple[ModelCard, ...] = (BRAIN, FRAME, COARSE, REFINER)
    submitted: list[JobRequest] = field(default_factory=list)
    masks: list[Volume] = field(default_factory=list)
    inputs: list[dict[str, Volume]] = field(default_factory=list)
    refines: Callable[[np.ndarray], np.ndarray] = shifted
    notes: dict[str, str] = field(default_factory=dict)
    badges: dict[int, Badge] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    loaded: tuple[str, ...] = ("brain-slice", "polyp", "refiner")
    calls: list[str] = field(default_factory=list)
    raises: MedSynthError | None = None


class ScriptedJob:
    """A job that ends after `job_seconds`: an image that is bright where the mask is, or the mask refined by the script."""

    def __init__(self, script: Script, request: JobRequest, inputs: dict[str, Volume], name: str) -> None:
        self.id, self._script, self._request = name, script, request
        self._inputs, self._mask = inputs, inputs.get("mask") or drawn(inputs["image"])
        self._cancelled = threading.Event()
        self._state = JobState.QUEUED

    def __iter__(self) -> Iterator[Event]:
        return self.events()

    def events(self, after: int = 0) -> Iterator[Event]:
        yield Event(1, self.id, EventKind.STATE, time.time(), state=JobState.RUNNING)
        for step in range(4):
            if self._cancelled.wait(self._script.job_seconds / 4):
                break
            left = self._script.job_seconds * (3 - step) / 4
            yield Event(2 + step, self.id, EventKind.PROGRESS, time.time(), done=step + 1, total=4, seconds_left=left)
        self._state = self._end()
        yield Event(9, self.id, EventKind.STATE, time.time(), state=self._state)

    def _end(self) -> JobState:
        if self._cancelled.is_set():
            return JobState.CANCELLED
        return JobState.FAILED if self._script.fails_with else JobState.DONE

    def info(self) -> JobInfo:
        card = next((card for card in self._script.models if card.id == self._request.model), BRAIN)
        place, refines = tuple(map(tuple, self._mask.affine.tolist())), self._request.engine == "refine"
        outputs = (
            (
                OutputInfo("mask", "labels", (1, *self._mask.size), str(self._mask.array.dtype), place),
                OutputInfo("uncertainty", "image", (1, *self._mask.size), "uint8", place),
            )
            if refines
            else (OutputInfo("image", "image", (card.channels, *self._mask.size), "uint8", place),)
        )
        recipe = {"model": self._request.model, "seed": self._request.seed, "synthetic": not refines, **self._script.notes}
        if (badge := self._script.badges.get(self._request.seed)) is not None:
            recipe[KEY] = badge.record()
        return JobInfo(self.id, self._state, self._request, time.time(), outputs=outputs, recipe=recipe)

    def result(self, output: str = "") -> Volume:
        if self._state is JobState.CANCELLED:
            raise error_from_code("job_cancelled", "the job was cancelled")
        if self._state is JobState.FAILED:
            raise error_from_code(self._script.fails_with, "the script failed: try again")
        if self._request.engine == "refine":
            return self._refined(output)
        channels = self.info().outputs[0].shape[0]
        noise = np.random.default_rng(self._request.seed).integers(20, 90, (channels, *self._mask.size))
        return Volume(np.where(self._mask.array > 0, 200, noise).astype(np.uint8), self._mask.affine)

    def _refined(self, output: str) -> Volume:
        labels = self._mask.array[0]
        refined = self._script.refines(labels).astype(labels.dtype)
        if "locked" in self._inputs:
            refined = np.where(self._inputs["locked"].array[0] != 0, labels, refined)
        made = refined if output == "mask" else np.where(refined != labels, 200, 0).astype(np.uint8)
        return Volume(made[None], self._mask.affine)

    def cancel(self) -> JobInfo:
        self._cancelled.set()
        self._script.cancelled.append(self.id)
        return self.info()


class ScriptedClient:
    """What a session asks of `medsynth_core.client.Client`, answered from a script."""

    def __init__(self, script: Script) -> None:
        self.script, self.closed = script, threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def capabilities(self) -> Capabilities:
        self._heed("capabilities")
        models = tuple(ModelInfo(card.id, card.engine, card) for card in self.script.models)
        return Capabilities(1, "0", "script", True, self.script.device, (SYNTHESIZE, REFINE), models, 1)

    def status(self) -> ServiceStatus:
        self._heed("status")
        return ServiceStatus("script", self.script.worker, self.script.device, 1, loaded_models=self.script.loaded)

    def submit(self, engine: str, model: str = "", seed: int = 0, note: str = "", **given: object) -> ScriptedJob:
        self._heed("submit")
        inputs = {name: given.pop(name) for name in ("image", "mask", "locked") if name in given}
        volumes = {name: volume for name, volume in inputs.items() if isinstance(volume, Volume)}
        assert len(volumes) == len(inputs)
        request = JobRequest(engine, model, dict.fromkeys(volumes, "sha"), seed, as_params(given), note=note)
        self.script.submitted.append(request)
        self.script.masks.extend([volumes["mask"]] if "mask" in volumes else [])
        self.script.inputs.append(volumes)
        return ScriptedJob(self.script, request, volumes, f"job{len(self.script.submitted)}")

    def load_model(self, model: str) -> ServiceStatus:
        if model not in {card.id for card in self.script.models}:
            raise NotFoundError(f"model is {model!r}: it is not installed")
        self._heed(f"load {model}")
        return self.status()

    def unload_model(self, model: str) -> ServiceStatus:
        self._heed(f"unload {model}")
        return self.status()

    def shutdown(self, force: bool = False) -> None:
        self._heed("shutdown")

    def close(self) -> None:
        self.closed.set()

    def _heed(self, call: str) -> None:
        self.script.calls.append(call)
        if self.script.raises is not None:
            raise self.script.raises


def as_params(given: dict[str, object]) -> dict[str, bool | int | float | str]:
    """Return the parameters of a submission; anything else would not travel."""
    assert all(isinstance(value, (bool, int, float, str)) for value in given.values())
    return dict(given)  # type: ignore[arg-type]
