"""The text behind *Copy diagnostics*, with napari's versions."""

from __future__ import annotations

import napari
import qtpy

from medsynth_core import diagnostics
from medsynth_core.diagnostics import LOG_LINES, log_tail, redact
from medsynth_core.errors import MedSynthError
from medsynth_core.protocol import ServiceStatus

__all__ = ["LOG_LINES", "log_tail", "redact", "report"]


def report(status: ServiceStatus | None, problem: MedSynthError | None = None, context: str = "") -> str:
    """Return what a maintainer needs to know, as plain text without paths."""
    return diagnostics.report(f"napari {napari.__version__}, {qtpy.API_NAME} {qtpy.QT_VERSION}", status, problem, context)
