"""What figures were measured on."""

from __future__ import annotations

import os
import platform
from typing import Any

import torch

from medsynth_core import __version__


def machine() -> dict[str, Any]:
    """Return what the figures were measured on, and how busy it was just then."""
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "medsynth": __version__,
    }
