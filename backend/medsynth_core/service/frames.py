"""What service and worker say to each other: framed JSON over a pipe pair of their own, never pickle, never stdout.

    offset  bytes  what
    0       4      N, length of the body, unsigned little-endian
    4       N      UTF-8 JSON {"frame": name of the class below, "body": its fields}

Arrays do not travel here: the worker reads inputs from the array store and writes slices into the job's folder.
"""

from __future__ import annotations

import json
import os
import struct
from dataclasses import dataclass
from typing import Any

from medsynth_core.errors import InputError
from medsynth_core.protocol import (
    DeviceInfo,
    EngineInfo,
    JobRequest,
    JobState,
    ModelInfo,
    OutputInfo,
    Scalar,
    from_json,
    to_json,
)
from medsynth_core.quality import Badge

_LENGTH = struct.Struct("<I")
MAX_FRAME_BYTES = 16 * 2**20


@dataclass(frozen=True)
class KeptSlice:
    """A slice from before a resume whose bytes were checked against `sha256`."""

    output: str
    z: int
    sha256: str


# Commands: service → worker.


@dataclass(frozen=True)
class Run:
    """Run this job; `attempt` counts its starts from 1, `outputs` and `kept` are what earlier ones left."""

    job: str
    request: JobRequest
    attempt: int
    outputs: tuple[OutputInfo, ...] = ()
    kept: tuple[KeptSlice, ...] = ()


@dataclass(frozen=True)
class Cancel:
    """Close the generator of this attempt at the job. The worker answers Ended."""

    job: str
    attempt: int


@dataclass(frozen=True)
class GoOn:
    """There is disk space again: write the slice that could not be written."""

    job: str


@dataclass(frozen=True)
class LoadModel:
    """Bring a model onto the device. The worker answers ModelsChanged."""

    model: str


@dataclass(frozen=True)
class UnloadModel:
    """Free the memory of a model; an empty name frees all. The worker answers ModelsChanged."""

    model: str = ""


@dataclass(frozen=True)
class ReadModels:
    """Read the model folders again. The worker answers ModelsChanged."""


# Reports: worker → service.


@dataclass(frozen=True)
class Ready:
    """First word of a worker: what it can do. `with_models` names the engines that need a model."""

    engines: tuple[EngineInfo, ...]
    with_models: tuple[str, ...]
    models: tuple[ModelInfo, ...]
    device: DeviceInfo | None


@dataclass(frozen=True)
class Beat:
    """Once a second: the process lives. `pulse` counts signs of life of the device thread."""

    pulse: int


@dataclass(frozen=True)
class DeviceSeen:
    """The device as the libraries see it, once they are loaded."""

    device: DeviceInfo


@dataclass(frozen=True)
class ModelsChanged:
    """Models installed and models on the device; `error_code` and `error` when a load failed."""

    models: tuple[ModelInfo, ...]
    loaded: tuple[str, ...]
    error_code: str = ""
    error: str = ""


@dataclass(frozen=True)
class Announced:
    """An output begins."""

    job: str
    output: OutputInfo


@dataclass(frozen=True)
class SliceWritten:
    """A slice is on disk, synced; `sha256` is of its chunk's bytes."""

    job: str
    output: str
    z: int
    sha256: str


@dataclass(frozen=True)
class PreviewWritten:
    """A newer preview of an output can be read."""

    job: str
    output: str


@dataclass(frozen=True)
class Stepped:
    """Progress of the job."""

    job: str
    done: int
    total: int
    message: str = ""


@dataclass(frozen=True)
class Noted:
    """A fact for the recipe."""

    job: str
    key: str
    value: Scalar


@dataclass(frozen=True)
class Judged:
    """How good the result is, for the recipe."""

    job: str
    badge: Badge


@dataclass(frozen=True)
class DiskFull:
    """A slice could not be written; the worker holds it and waits for GoOn or Cancel."""

    job: str


@dataclass(frozen=True)
class Ended:
    """The job's generator is closed. `state` is done, failed or cancelled."""

    job: str
    state: JobState
    error_code: str = ""
    error: str = ""


Command = Run | Cancel | GoOn | LoadModel | UnloadModel | ReadModels
Report = (
    Ready
    | Beat
    | DeviceSeen
    | ModelsChanged
    | Announced
    | SliceWritten
    | PreviewWritten
    | Stepped
    | Noted
    | Judged
    | DiskFull
    | Ended
)
_KINDS: dict[str, Any] = {kind.__name__: kind for kind in (*Command.__args__, *Report.__args__)}


def pack(frame: Command | Report) -> bytes:
    """Return the bytes of one frame."""
    body = json.dumps({"frame": type(frame).__name__, "body": to_json(frame)}).encode()
    return _LENGTH.pack(len(body)) + body


def read(fd: int) -> Any:
    """Return the next frame from the pipe, None at its end. Raises InputError for bytes that are no frame."""
    prefix = _read_exactly(fd, _LENGTH.size)
    if prefix is None:
        return None
    (length,) = _LENGTH.unpack(prefix)
    if length > MAX_FRAME_BYTES:
        raise InputError(f"a frame of {length} bytes came over the worker's pipe: at most {MAX_FRAME_BYTES} are allowed")
    body = _read_exactly(fd, length)
    if body is None:
        return None
    said = json.loads(body)
    return from_json(_KINDS[said["frame"]], said["body"])


def write(fd: int, frame: Command | Report) -> None:
    """Write one frame whole. Raises BrokenPipeError when the other side is gone."""
    left = memoryview(pack(frame))
    while left:
        left = left[os.write(fd, left) :]


def _read_exactly(fd: int, count: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < count:
        part = os.read(fd, count - len(parts))
        if not part:
            return None
        parts += part
    return bytes(parts)
