"""The vocabulary on the wire: what client, service, worker and engines say to each other.

Records are frozen dataclasses; `to_json` and `from_json` are the only way to and from JSON, and an unknown or missing key is
an error that names it. Arrays do not travel here: a record names them by the sha256 of their encoded bytes (see `wire`).
"""

from __future__ import annotations

import enum
import typing
from dataclasses import dataclass, field
from typing import Any

from medsynth_core.errors import InputError, ParameterError
from medsynth_core.protocol_json import RecordT as RecordT
from medsynth_core.protocol_json import from_json as from_json
from medsynth_core.protocol_json import to_json as to_json

API_VERSION = 1
"""Raised when a client of the last version could misread an answer. The service refuses others by name."""

Scalar = bool | int | float | str


class ParamKind(enum.StrEnum):
    """What a form draws for a parameter."""

    INTEGER = "integer"
    NUMBER = "number"
    CHOICE = "choice"
    FLAG = "flag"
    TEXT = "text"


@dataclass(frozen=True)
class ParamInfo:
    """One parameter of an engine or option of a model, enough to draw its form field and to check a value."""

    name: str
    label: str
    kind: ParamKind
    default: Scalar
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Scalar, ...] = ()
    unit: str = ""
    help: str = ""
    advanced: bool = False

    def check(self, value: object) -> Scalar:
        """Return `value` in the parameter's type. Raises ParameterError naming the field, the value and the rule."""
        match self.kind:
            case ParamKind.CHOICE if value in self.choices:
                return typing.cast(Scalar, value)
            case ParamKind.CHOICE:
                raise ParameterError(f"{self.name} is {value!r}: it must be one of {', '.join(map(str, self.choices))}")
            case ParamKind.FLAG if isinstance(value, bool):
                return value
            case ParamKind.TEXT if isinstance(value, str):
                return value
            case ParamKind.INTEGER if isinstance(value, int) and not isinstance(value, bool):
                return self._within(value)
            case ParamKind.NUMBER if isinstance(value, (int, float)) and not isinstance(value, bool):
                return self._within(float(value))
        raise ParameterError(f"{self.name} is {value!r}: it must be of kind {self.kind.value}")

    def _within(self, value: float) -> Scalar:
        low, high = self.minimum, self.maximum
        if value != value or (low is not None and value < low) or (high is not None and value > high):
            raise ParameterError(f"{self.name} is {value:g}: it must lie {self._range()}")
        return value

    def _range(self) -> str:
        bounds = (("at or above", self.minimum), ("at or below", self.maximum))
        return " and ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None) or "among the finite numbers"


@dataclass(frozen=True)
class InputInfo:
    """One array an engine takes: `kind` is "labels" or "image"; `instances`: each label is one object, as in nuclei."""

    name: str
    label: str
    kind: str
    required: bool = True
    instances: bool = False


@dataclass(frozen=True)
class PresetInfo:
    """A named way to train an engine: what it is for, in a few words, and its optimizer steps."""

    name: str
    says: str
    steps: int


@dataclass(frozen=True)
class EngineInfo:
    """One engine as the capability document lists it. `problem` says why it cannot run here, empty if it can.

    `synthetic` is False where the outputs are derived from what was handed in, such as a refined mask: no image of nobody.
    `one_slice`: a single 2-D slice is taken, a stack refused; a viewer sends the slice that it shows.
    `presets` are ways to train it, the default first; empty for one that cannot be trained."""

    name: str
    summary: str
    paper: str = ""
    inputs: tuple[InputInfo, ...] = ()
    params: tuple[ParamInfo, ...] = ()
    problem: str = ""
    synthetic: bool = True
    one_slice: bool = False
    presets: tuple[PresetInfo, ...] = ()


@dataclass(frozen=True)
class LabelInfo:
    """One entry of a label vocabulary: the value in the mask, its name and its color as #rrggbb."""

    value: int
    name: str
    color: str


@dataclass(frozen=True)
class Thresholds:
    """What a card says of real images that its judges have not learned from; None where it says nothing.

    `adherence` is how surely a segmenter tells the labels of 95 % of them from the rest (0.5 is chance, 1 best); `likeness` the
    95th percentile of their likeness to the nearest training image; `intensity` the 1st and 99th percentile of grey levels
    between which 95 % of the training images lie, `contrast` the distance of these two percentiles that 95 % of them reach;
    `strangeness` how unlike what was learned from 95 % of them are at most, for engines that are given an image. `count` says how
    many real images "95 %" is of, 0 where nobody has counted.
    """

    adherence: float | None = None
    intensity: tuple[float, float] | None = None
    likeness: float | None = None
    contrast: float | None = None
    strangeness: float | None = None
    count: int = 0


@dataclass(frozen=True)
class ModelCard:
    """What a model is, what it was trained on, and what may be done with it; `card.json` of a model folder.

    `size` is the model's grid (y, x) in pixels. `fit` says how another size is met: "resize" or "tile".
    `labels` is empty for a model that takes any label. `role` is empty for an engine's main model; a model that only serves
    another one names its part, such as "coarse". `figures` holds measured numbers by name, `sha256` weight files' sums, `quality`
    what the badge of a result is judged by.
    """

    id: str
    title: str
    engine: str
    channels: int
    size: tuple[int, int]
    labels: tuple[LabelInfo, ...]
    license: str
    data: str
    format_version: int = 1
    role: str = ""
    fit: str = "resize"
    options: tuple[ParamInfo, ...] = ()
    commercial_use: bool = True
    attribution: str = ""
    trained_on: str = ""
    split: str = ""
    steps: int = 0
    figures: dict[str, float] = field(default_factory=dict)
    quality: Thresholds = Thresholds()
    notes: str = ""
    code_version: str = ""
    sha256: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelInfo:
    """One installed model: its card, or the reason it cannot be used."""

    id: str
    engine: str
    card: ModelCard | None = None
    problem: str = ""


@dataclass(frozen=True)
class DeviceInfo:
    """Where the worker computes. Memory in bytes; zero if unknown."""

    name: str
    kind: str
    memory_total: int = 0
    memory_free: int = 0


@dataclass(frozen=True)
class Capabilities:
    """All a client needs to draw its forms: engines, models, device, and how many clients hold a lease."""

    api_version: int
    code_version: str
    instance: str
    ready: bool
    device: DeviceInfo | None = None
    engines: tuple[EngineInfo, ...] = ()
    models: tuple[ModelInfo, ...] = ()
    clients: int = 0

    def engine(self, name: str) -> EngineInfo:
        """Return the engine of that name. Raises InputError listing what there is."""
        for info in self.engines:
            if info.name == name:
                return info
        raise InputError(f"engine is {name!r}: it must be one of {', '.join(e.name for e in self.engines)}")


class WorkerState(enum.StrEnum):
    """What the process that computes is doing."""

    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    RESTARTING = "restarting"
    DOWN = "down"


@dataclass(frozen=True)
class ServiceStatus:
    """The small, cheap answer behind the engine pill: polled about once a second."""

    instance: str
    worker: WorkerState
    device: DeviceInfo | None = None
    clients: int = 0
    queued: int = 0
    running: int = 0
    loaded_models: tuple[str, ...] = ()
    message: str = ""


class JobState(enum.StrEnum):
    """A job's life: queued → running → done | failed | cancelled, through cancelling or paused (disk full)."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to a job in this state."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True)
class JobRequest:
    """One job: `inputs` names uploaded arrays by sha256; `params` holds engine parameters and model options alike."""

    engine: str
    model: str
    inputs: dict[str, str]
    seed: int = 0
    params: dict[str, Scalar] = field(default_factory=dict)
    client: str = ""
    note: str = ""


@dataclass(frozen=True)
class OutputInfo:
    """One array a job gives: shape (channel, z, y, x), affine (4, 4) row-major as in `volume`.

    `kind` is "image", "labels", or "state": what a resumed job goes on from, not for viewing.
    """

    name: str
    kind: str
    shape: tuple[int, int, int, int]
    dtype: str
    affine: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class JobInfo:
    """A job as the list shows it. Times are seconds since the epoch; `recipe` is what repeats it."""

    id: str
    state: JobState
    request: JobRequest
    created: float
    started: float | None = None
    ended: float | None = None
    done: int = 0
    total: int = 0
    retries: int = 0
    outputs: tuple[OutputInfo, ...] = ()
    slices_done: int = 0
    error_code: str = ""
    error: str = ""
    starred: bool = False
    recipe: dict[str, Any] = field(default_factory=dict)


class EventKind(enum.StrEnum):
    """What an event of a job tells."""

    STATE = "state"
    PROGRESS = "progress"
    OUTPUT = "output"
    SLICE = "slice"
    PREVIEW = "preview"
    NOTE = "note"


@dataclass(frozen=True)
class Event:
    """One line of a job's durable log; numbers start at 1 and have no gaps within a job.

    STATE sets `state` (and `error_code`, `message` when failed). PROGRESS sets `done`, `total`, `message`, `seconds_left` (None
    while unknown). OUTPUT sets `output_info` before the first slice. SLICE sets `output` and `z`, and comes
    again when a second pass replaced the slice. PREVIEW sets `output`.
    """

    number: int
    job: str
    kind: EventKind
    time: float
    state: JobState | None = None
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    message: str = ""
    error_code: str = ""
    output: str = ""
    z: int = -1
    output_info: OutputInfo | None = None
