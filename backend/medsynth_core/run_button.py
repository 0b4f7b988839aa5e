"""The one button of an engine in every viewer: its verb → Cancel → Cancelling… and back."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Mode(enum.StrEnum):
    """What a click does."""

    READY = "ready"
    RUNNING = "running"
    CANCELLING = "cancelling"


@dataclass(frozen=True)
class Face:
    """What the button shows; disabled, its tooltip says why."""

    text: str
    tip: str
    enabled: bool


def face(mode: Mode, verb: str, tip: str, blocked: str = "") -> Face:
    """Return how the button looks. `verb` and `tip` say what it does when it is ready; `blocked` why it cannot, if so."""
    match mode:
        case Mode.READY:
            return Face(verb, blocked or tip, not blocked)
        case Mode.RUNNING:
            return Face("Cancel", "Stop (Esc); slices are kept", True)
        case Mode.CANCELLING:
            return Face("Cancelling…", "Stopping…", False)
