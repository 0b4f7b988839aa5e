"""What the panel remembers between sessions: a small JSON file in the state folder, shared by all viewers of the user."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from medsynth_core import places
from medsynth_core.errors import InputError
from medsynth_core.protocol import Scalar, from_json, to_json

FILE = "napari.json"


@dataclass(frozen=True)
class Settings:
    """`params` holds the last values by model; `seconds` the last measured time of one image by timing key."""

    model: str = ""
    seed: int = 0
    seed_locked: bool = False
    variations: int = 1
    params: dict[str, dict[str, Scalar]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def with_params(self, model: str, values: dict[str, Scalar]) -> Settings:
        """Return the settings with the values last used with `model`."""
        return replace(self, model=model, params=self.params | {model: values})

    def with_seconds(self, key: str, seconds: float) -> Settings:
        """Return the settings with a newly measured time."""
        return replace(self, seconds=self.seconds | {key: round(seconds, 3)})


def timing_key(model: str, values: dict[str, Scalar], device: str) -> str:
    """Return under which name the time of one image is remembered: what makes it slower or faster."""
    return f"{model}/{values.get('steps', '')}/{device}"


def load() -> Settings:
    """Return the remembered settings; a damaged file, or one of another version, gives fresh ones."""
    try:
        return from_json(Settings, json.loads(_path().read_text("utf-8")))
    except (OSError, ValueError, InputError):
        return Settings()


def save(settings: Settings) -> None:
    """Write the settings whole or not at all. Raises OSError when the disk refuses."""
    path = _path()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{FILE}.", suffix=".partial")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(to_json(settings), stream, indent=1)
    os.replace(name, path)


def _path() -> Path:
    return places.state_folder() / FILE
