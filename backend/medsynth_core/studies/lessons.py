"""One segmenter of a study: what it learns from and what it scores, kept, so that a study cut short goes on where it was.

    OUT/lessons/<key>.json      figures of every item measured on, steps taken, seconds, last loss

The key follows from all that decides the figures: the items learned from and measured on, the manner, and the code.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medsynth_core import evaluation
from medsynth_core.imaging import nuclei_maps
from medsynth_core.models.folder import write_json
from medsynth_core.protocol import to_json
from medsynth_core.studies import learners
from medsynth_core.studies.at_work import Report, worked
from medsynth_core.studies.items import kept
from medsynth_core.studies.learners import Manner, learner_of

DECIDED_BY = ("segmenter", "nuclei_segmenter", "nuclei_views", "nuclei_scores", "instances", "jitter", "plain_unet", "unets")
"""Modules of `evaluation` whose code decides on figures; other files may change and what was kept stays good."""


@dataclass(frozen=True)
class Share:
    """The first items of a kept file, None for all, and how often each stands among what is drawn from."""

    path: Path
    count: int | None = None
    times: int = 1


@dataclass(frozen=True)
class Lesson:
    """One training: its manner, what it learns from, what it is measured on, and the folder where its outcome is kept."""

    manner: Manner
    learns: tuple[Share, ...]
    test: Path
    folder: Path

    @property
    def key(self) -> str:
        """A name that follows from all that decides the figures."""
        shares = [[share.path.stem, share.count, share.times] for share in self.learns]
        told = json.dumps([to_json(self.manner), shares, self.test.stem, _code()], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:20]

    @property
    def kept_at(self) -> Path:
        """Where its outcome is kept."""
        return self.folder / f"{self.key}.json"


@dataclass(frozen=True)
class Outcome:
    """What one segmenter scored on each item, in their order, and what its training was. `learned_from` counts each item once."""

    figures: tuple[tuple[float, ...], ...]
    learned_from: int
    steps: int
    seconds: float
    loss: float


def outcomes(lessons: Sequence[Lesson], workers: int, what: str, report: Report) -> list[Outcome]:
    """Return what the segmenters of all lessons score, in their order; those that are kept are not trained again."""
    fresh = {lesson.key: lesson for lesson in lessons if not lesson.kept_at.is_file()}
    worked(measure, list(fresh.values()), workers, what, report)
    return [read_outcome(lesson.kept_at) for lesson in lessons]


def measure(lesson: Lesson) -> None:
    """Train one segmenter, score it on every item, and keep the outcome."""
    began, loss, steps = time.monotonic(), float("nan"), 0
    shares = [(kept(share.path, share.count), share.times) for share in lesson.learns]
    drawn_from = [item for items, times in shares for item in items * times]
    learner = learner_of(lesson.manner)
    for steps, loss in enumerate(learner.learn(drawn_from), start=1):  # noqa: B007  how many there were
        pass
    figures = tuple(learner.score(item) for item in kept(lesson.test))
    different = sum(len(items) for items, _ in shares)
    outcome = Outcome(figures, different, steps, round(time.monotonic() - began, 1), loss)
    lesson.folder.mkdir(parents=True, exist_ok=True)
    write_json(lesson.kept_at, to_json(outcome))


def read_outcome(path: Path) -> Outcome:
    """Return a kept outcome."""
    content = json.loads(path.read_text("utf-8"))
    figures = tuple(tuple(float(v) for v in row) for row in content["figures"])
    return Outcome(figures, content["learned_from"], content["steps"], content["seconds"], content["loss"])


def _code() -> str:
    folder = Path(str(evaluation.__file__)).parent
    files = [*(folder / f"{name}.py" for name in DECIDED_BY), Path(str(nuclei_maps.__file__)), Path(str(learners.__file__))]
    told = hashlib.sha256()
    for file in files:
        told.update(file.read_bytes())
    return told.hexdigest()[:16]
