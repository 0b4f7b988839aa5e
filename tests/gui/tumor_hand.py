"""What a hand does in the tumor panel, and what it finds there."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Vectors

from napari_medsynth import strokes
from napari_medsynth.tumor_guide import TUMOR
from tests.gui.conftest import Desk
from tests.gui.growing import Growth


def pair(desk: Desk) -> tuple[Any, Any]:
    image, mask = desk.results()
    return image, mask


def whole(growth: Growth, desk: Desk) -> bool:
    """Return whether both layers are what the job gives."""
    job = growth.jobs["job1"]
    expected = [job.result(name).array[0] for name in ("image", "mask")]
    return all(np.array_equal(layer.data, array) for layer, array in zip(pair(desk), expected, strict=True))


def wait_slices(desk: Desk, count: int) -> None:
    growth = desk.widget.growth
    desk.wait(f"{count} slices", lambda: growth.growing is not None and len(growth.growing.order) >= count)


def half_grown(desk: Desk, growth: Growth, count: int = 5) -> None:
    """Start a growth that stops by itself after some slices."""
    growth.hold_after = count
    desk.click_synthesize()
    wait_slices(desk, count)


def cancelled(desk: Desk, growth: Growth, count: int = 5) -> None:
    half_grown(desk, growth, count)
    strokes.click(desk.panel.button)
    desk.wait_idle()
    growth.hold_after = -1


def outline(desk: Desk, name: str = TUMOR) -> Vectors | None:
    return next((layer for layer in desk.viewer.layers if layer.name == name), None)


def world_lines(layer: Any) -> np.ndarray:
    """Return where the lines of an outline begin, (n, 3) z y x in mm."""
    return np.array([layer.data_to_world(line[0]) for line in layer.data])


def place(desk: Desk) -> None:
    strokes.click(desk.panel.place_row.place)
    strokes.settle(50)
