"""Where MedSynth keeps its state on this machine: the same folder for viewers, command line and service.

The folder is the one platformdirs' `user_state_path("medsynth-engine", appauthor=False)` gives (a test compares them); it is
worked out here because the light client has no dependency but numpy. `MEDSYNTH_HOME` overrides it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_NAME = "medsynth-engine"


def state_folder() -> Path:
    """Return the state folder, made with mode 0700 if it was not there."""
    folder = Path(os.environ["MEDSYNTH_HOME"]) if os.environ.get("MEDSYNTH_HOME") else _default()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def models_folder() -> Path:
    """Return the folder of the models the user trained or added."""
    folder = state_folder() / "models"
    folder.mkdir(exist_ok=True)
    return folder


def _default() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / _NAME
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / _NAME
    return Path(os.environ.get("XDG_STATE_HOME", "").strip() or Path.home() / ".local" / "state") / _NAME
