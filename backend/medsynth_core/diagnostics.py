"""The text behind *Copy diagnostics* of every viewer: versions, engine, error and job; never pixels, and every path replaced."""

from __future__ import annotations

import platform
import re
from pathlib import Path

import medsynth_core
from medsynth_core import places
from medsynth_core.errors import MedSynthError
from medsynth_core.protocol import ServiceStatus, to_json

_PATHS = re.compile(r"(?:[A-Za-z]:\\|\\\\|~/|/)(?:[^\s\"'<>|:;,]+[\\/])+[^\s\"'<>|:;,]*")
LOG_LINES = 200


def report(viewer: str, status: ServiceStatus | None, problem: MedSynthError | None = None, context: str = "") -> str:
    """Return what a maintainer needs to know, as plain text without paths. `viewer` says which one, and its versions."""
    versions = f"MedSynth {medsynth_core.__version__}, {viewer}"
    lines = [versions, f"Python {platform.python_version()} on {platform.platform()}"]
    if status is not None:
        lines += [f"{key}: {value}" for key, value in to_json(status).items()]
    else:
        lines.append("engine: not running")
    if context:
        lines.append(context)
    if problem is not None:
        lines.append(f"{problem.code}: {problem}")
    return redact("\n".join(lines))


def redact(text: str) -> str:
    """Return the text with the home folder and every absolute path replaced by `<path>`."""
    return _PATHS.sub("<path>", text.replace(str(Path.home()), "~"))


def log_tail() -> str:
    """Return the last lines of the service's log, paths redacted; a sentence when there is none."""
    try:
        lines = (places.state_folder() / "logs" / "service.log").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return "The engine has written no log yet."
    return redact("\n".join(lines[-LOG_LINES:])) or "The engine's log is empty."
