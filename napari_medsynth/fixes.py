"""What the Fix buttons do to layers. Each is one step of the layer's own undo."""

from __future__ import annotations

import numpy as np
from napari.layers import Labels

from medsynth_core.errors import MedSynthError

BY_CODE = {
    "service_unavailable": "Start engine",
    "out_of_memory": "Free memory",
    "unknown_label": "Map labels",
    "refused": "Use a gentler strength",
    "worker_died": "Try again",
    "job_failed": "Try again",
    "internal": "Try again",
}


def fix_for(problem: MedSynthError) -> str:
    """Return the name of what can be done about an error, empty if nothing can from here."""
    return BY_CODE.get(problem.code, "")


def map_labels(layer: Labels, values: tuple[int, ...], target: int) -> None:
    """Turn every pixel of the given values into `target`, as one undo step."""
    places = np.nonzero(np.isin(np.asarray(layer.data), values))
    with layer.block_history():
        layer.data_setitem(places, target)
