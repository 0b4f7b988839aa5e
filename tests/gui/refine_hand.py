"""What the refine panel shows, for tests that work with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_medsynth.preview_layer import NAME
from tests.gui.conftest import SHAPE, Desk, painted_mask


def preview(desk: Desk) -> Any:
    return next((layer for layer in desk.viewer.layers if layer.name == NAME), None)


def lesion(desk: Desk) -> Any:
    return desk.viewer.layers["lesion"]


def painted_stack() -> np.ndarray:
    stack = np.zeros((7, *SHAPE), np.uint8)
    stack[2:5] = painted_mask()
    return stack
