"""How Slicer was started, and what is made known to its other modules then: a Segment Editor effect, and sample data."""

from __future__ import annotations

import os
from pathlib import Path

import slicer


def begun() -> tuple[dict[str, str], Path | None]:
    """Return the environment that Slicer was started with, before it changed it for itself, and where Slicer lies."""
    home = os.environ.get("SLICER_HOME")
    return slicer.util.startupEnvironment(), Path(home) if home else None


def register() -> None:
    """Register both; imported only now, because the modules they go to are there only now."""
    from MedSynthLib import refine_effect, samples

    refine_effect.register()
    samples.register()
