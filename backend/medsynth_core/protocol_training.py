"""The vocabulary of trainings on the wire: what is ordered, what the doctor found, how far a training is.

Records as in `protocol`. Paths travel as text: a training's folder is opened by the training child alone, never by the service.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Severity(enum.StrEnum):
    """What a finding means: STOPS until mended or excluded, WARNS of what may spoil the result, TELLS what is good to know."""

    STOPS = "stops"
    WARNS = "warns"
    TELLS = "tells"


class Defect(enum.StrEnum):
    """What can be wrong with a data set."""

    UNPAIRED = "unpaired"
    UNREADABLE = "unreadable"
    SIZE = "size"
    SPACING = "spacing"
    EMPTY_MASK = "empty mask"
    LABELS = "labels"
    INTENSITY = "intensity"
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near duplicate"
    LEAKAGE = "leakage"
    TOO_FEW = "too few"
    OTHER = "other"


@dataclass(frozen=True)
class Finding:
    """One thing the doctor found: the cases it concerns (by name), one sentence that names file, value and rule, and the way out.

    `excludable` cases can be left out by naming them in `TrainingRequest.excluded`. `thumbnails` number the pictures of the
    first cases, as `DoctorReport.thumbnails` counts them; empty for what cannot be shown.
    """

    defect: Defect
    severity: Severity
    cases: tuple[str, ...]
    says: str
    fix: str
    excludable: bool = True
    thumbnails: tuple[int, ...] = ()


@dataclass(frozen=True)
class Facts:
    """A data set in numbers, of what can be used. Text as a person reads it: sizes "512×512" and spacings "0.5×0.5 mm" by count;
    `labels` is the share of pixels by label value; `intensity` the 1st and 99th percentile over all images."""

    cases: int
    groups: int
    training: int
    tuning: int
    held_out: int
    sizes: dict[str, int] = field(default_factory=dict)
    spacings: dict[str, int] = field(default_factory=dict)
    labels: dict[str, float] = field(default_factory=dict)
    intensity: tuple[float, float] = (0.0, 0.0)
    channels: int = 0


@dataclass(frozen=True)
class DoctorReport:
    """All that was found in a data set, worst first. A training may start when no finding that STOPS is left."""

    engine: str
    facts: Facts
    findings: tuple[Finding, ...] = ()
    thumbnails: int = 0

    @property
    def ready(self) -> bool:
        """Whether a training may start."""
        return not any(finding.severity is Severity.STOPS for finding in self.findings)


@dataclass(frozen=True)
class TrainingRequest:
    """One training as ordered over the wire: what `msynth train ENGINE DATA` says, with the names of the command's options.

    `data` is a folder on the service's machine. `base` is the id of an installed model to go on from, empty for none. `excluded`
    names cases as the doctor does. `labels` names mask values ("1" → "polyp"). `volumes` holds the options for volumes.
    `unlabeled` is a folder of images without masks that teach how images look, for the engine synthesize. Without `judge` nothing
    is taught to measure the model's results, and they have no badge.
    """

    engine: str
    data: str
    model_id: str
    title: str = ""
    preset: str = ""
    base: str = ""
    steps: int | None = None
    batch: int | None = None
    seed: int = 0
    grey: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    license: str = "not stated"
    metadata: str = ""
    group_by: str = ""
    options: dict[str, str] = field(default_factory=dict)
    excluded: tuple[str, ...] = ()
    volumes: dict[str, str] = field(default_factory=dict)
    label_percent: int = 100
    unlabeled: str = ""
    judge: bool = True


class TrainingState(enum.StrEnum):
    """A training's life: queued → running ⇄ paused → done | stopped (what was best is kept) | failed."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self in (TrainingState.DONE, TrainingState.STOPPED, TrainingState.FAILED)


@dataclass(frozen=True)
class TrainingLine:
    """One line of a training's log: steps done, the terms of the loss since the last line, the loss on the tuning side (None
    where it was not taken)."""

    step: int
    losses: dict[str, float] = field(default_factory=dict)
    validation: float | None = None


@dataclass(frozen=True)
class TrainingInfo:
    """A training as the list shows it. `best_step` has the lowest validation so far (0: none yet); `strips` are the steps with a
    strip of samples; `retries` how often a child that died was started again. Times are seconds since the epoch."""

    id: str
    state: TrainingState
    request: TrainingRequest
    created: float
    step: int = 0
    steps: int = 0
    seconds_left: float | None = None
    best_step: int = 0
    lines: int = 0
    strips: tuple[int, ...] = ()
    notices: tuple[str, ...] = ()
    retries: int = 0
    error_code: str = ""
    error: str = ""
    ended: float | None = None


@dataclass(frozen=True)
class Examination:
    """The doctor's look at a folder: running, then done with its `report`, or failed with an error."""

    id: str
    state: TrainingState
    report: DoctorReport | None = None
    error_code: str = ""
    error: str = ""
