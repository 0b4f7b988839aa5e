"""An engine for the data-set factory that answers at once: images that show their mask, nuclei, small volumes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from medsynth_core.cli_dataset_filter import Verdict
from medsynth_core.errors import JobError, NotFoundError
from medsynth_core.protocol import (
    Capabilities,
    EngineInfo,
    JobInfo,
    JobRequest,
    JobState,
    LabelInfo,
    ModelCard,
    ModelInfo,
    ParamInfo,
    ParamKind,
)
from medsynth_core.quality import KEY, Badge
from medsynth_core.volume import Volume

LABELS = (LabelInfo(0, "background", "#000000"), LabelInfo(2, "polyp", "#ff0000"), LabelInfo(5, "ulcer", "#00ff00"))
STEPS = ParamInfo("steps", "Steps", ParamKind.INTEGER, 1, 1, 8)


def card(name: str, engine: str, labels: tuple[LabelInfo, ...] = (), role: str = "") -> ModelCard:
    return ModelCard(name, name.title(), engine, 3, (32, 32), labels, "CC0", "none", sha256={name: "ab"}, role=role)


CARDS = (
    card("toy", "synthesize", LABELS),
    card("one", "synthesize", (LABELS[0], LabelInfo(1, "polyp", "#ff0000"))),
    card("toy-coarse", "synthesize", LABELS, role="coarse"),
    card("toy-nuclei", "nuclei"),
    card("toy-tumor", "tumor"),
    card("toy-refiner", "refine"),
)
ABLE = Capabilities(
    1,
    "0",
    "x",
    True,
    engines=tuple(EngineInfo(name, "", params=(STEPS,)) for name in ("synthesize", "nuclei", "tumor", "refine", "fake")),
    models=tuple(ModelInfo(one.id, one.engine, one) for one in CARDS),
)


@dataclass
class DoneJob:
    """A job that is done as soon as it is submitted."""

    request: JobRequest
    outputs: dict[str, Volume]
    problem: Exception | None = None
    badge: Badge | None = None
    cancelled: bool = False

    @property
    def id(self) -> str:
        return f"job-{self.request.seed}"

    @property
    def state(self) -> JobState:
        return JobState.DONE

    def result(self, name: str = "") -> Volume:
        if self.problem is not None:
            raise self.problem
        return self.outputs[name or "image"]

    def info(self) -> JobInfo:
        recipe: dict[str, Any] = {
            "engine": self.request.engine,
            "seed": self.request.seed,
            "synthetic": True,
            "got_area": 7,
            "flag_size": "beyond",
        }
        if self.badge is not None:
            recipe[KEY] = self.badge.record()
        return JobInfo(self.id, JobState.DONE, self.request, 0.0, 1.0, 2.0, recipe=recipe)

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Factory:
    """Takes every job; those of `failing` seeds fail. `known` are jobs of an earlier run."""

    failing: tuple[int, ...] = ()
    badges: dict[int, Badge] = field(default_factory=dict)
    jobs: list[DoneJob] = field(default_factory=list)
    known: dict[str, DoneJob] = field(default_factory=dict)

    def capabilities(self) -> Capabilities:
        return ABLE

    def job(self, job_id: str) -> DoneJob:
        if job_id not in self.known:
            raise NotFoundError("no such job")
        return self.known[job_id]

    def submit(self, engine: str, model: str = "", seed: int = 0, **given: Any) -> DoneJob:
        volumes = {name: value for name, value in given.items() if isinstance(value, Volume)}
        params = {name: value for name, value in given.items() if name not in volumes}
        request = JobRequest(engine, model, dict.fromkeys(volumes, ""), seed, params)
        problem = JobError("it failed") if seed in self.failing else None
        self.jobs.append(DoneJob(request, _made(engine, seed, volumes.get("mask")), problem, self.badges.get(seed)))
        return self.jobs[-1]


def _made(engine: str, seed: int, mask: Volume | None) -> dict[str, Volume]:
    rng = np.random.default_rng(seed)
    if engine == "tumor":
        affine = np.diag([1.0, 1.0, 2.0, 1.0])
        tumor = np.zeros((1, 8, 48, 48), np.uint8)
        tumor[:, 2:6, 10:28, 12:30] = 1
        image = rng.integers(0, 900, (1, 8, 48, 48)).astype(np.int16)
        return {"image": Volume(image, affine), "mask": Volume(tumor, affine)}
    field_ = np.zeros((1, 1, 32, 32), np.uint16)
    field_[..., 2:9, 3:9], field_[..., 2:9, 9:15], field_[..., 20:28, 10:20] = 3, 7, 300
    shown = field_ if mask is None else mask.array
    noise = rng.integers(0, 80, (3, *shown.shape[1:]), dtype=np.uint8)
    return {"image": Volume(noise + np.where(shown > 0, 150, 0).astype(np.uint8)), "instances": Volume(field_)}


@dataclass
class SeedJudge:
    """Objects to samples by what their image was drawn from."""

    poor: tuple[int, ...] = ()
    copies: tuple[int, ...] = ()
    seen: int = 0

    @property
    def terms(self) -> dict[str, Any]:
        return {"judge": "by seed"}

    def verdict(self, image: Volume, labels: Volume) -> Verdict:
        seed = next(s for s in range(200) if self._is(image, s))
        self.seen += 1
        return Verdict({"adherence": 0.5}, ("adherence below 0.5",) if seed in self.poor else (), seed in self.copies)

    def _is(self, image: Volume, seed: int) -> bool:
        noise = np.random.default_rng(seed).integers(0, 80, image.array.shape, dtype=np.uint8)
        return bool((image.array % 150 == noise).mean() > 0.9)
