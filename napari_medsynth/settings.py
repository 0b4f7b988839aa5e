"""What a panel remembers between sessions: a small JSON file an engine in the state folder, shared by the user's viewers."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from medsynth_core import places
from medsynth_core.errors import InputError
from medsynth_core.protocol import RecordT, Scalar, from_json, to_json

FILE = "napari-{engine}.json"


@dataclass(frozen=True)
class Settings:
    """`params` holds the last values by model; `seconds` the last measured time of one job by timing key.

    `seed`, `seed_locked` and `variations` are of Synthesize, `whole_stack` is of Refine.
    """

    model: str = ""
    seed: int = 0
    seed_locked: bool = False
    variations: int = 1
    whole_stack: bool = False
    params: dict[str, dict[str, Scalar]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def with_params(self, model: str, values: dict[str, Scalar]) -> Settings:
        """Return the settings with the values last used with `model`."""
        return replace(self, model=model, params=self.params | {model: values})

    def with_seconds(self, key: str, seconds: float) -> Settings:
        """Return the settings with a newly measured time."""
        return replace(self, seconds=self.seconds | {key: round(seconds, 3)})


def timing_key(model: str, values: dict[str, Scalar], device: str, size: str = "") -> str:
    """Return under which name the time of one job is remembered: what makes it slower or faster."""
    return "/".join(part for part in (model, f"{values.get('steps', '')}", f"{values.get('samples', '')}", size, device) if part)


def load(engine: str) -> Settings:
    """Return what the panel of an engine remembers; a damaged file, or one of another version, gives fresh ones."""
    return load_as(Settings, engine) or Settings()


def load_as(kind: type[RecordT], panel: str) -> RecordT | None:
    """Return what a panel remembers as a record of its own; None for a damaged file, or one of another version."""
    try:
        return from_json(kind, json.loads(_path(panel).read_text("utf-8")))
    except (OSError, ValueError, InputError):
        return None


def save(engine: str, settings: object) -> None:
    """Write the settings of a panel, a record, whole or not at all. Raises OSError when the disk refuses."""
    path = _path(engine)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".partial")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(to_json(settings), stream, indent=1)
    os.replace(name, path)


def _path(engine: str) -> Path:
    return places.state_folder() / FILE.format(engine=engine)
