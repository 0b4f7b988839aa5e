"""The hand of the tests of nuclei: what a person does on the panel and the canvas, and what there is to paint on."""

from __future__ import annotations

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtWidgets import QPushButton

from napari_medsynth import strokes
from tests.gui.conftest import Desk
from tests.gui.sowing import Sowing

SIDE = 64


def disk(field: np.ndarray, at: tuple[int, int], number: int, radius: int = 5) -> np.ndarray:
    y, x = np.indices(field.shape)
    field[(y - at[0]) ** 2 + (x - at[1]) ** 2 <= radius**2] = number
    return field


def two_nuclei() -> np.ndarray:
    return disk(disk(np.zeros((SIDE, SIDE), np.uint16), (20, 20), 1), (44, 44), 2)


def slide() -> np.ndarray:
    return np.random.default_rng(5).integers(150, 250, (SIDE, SIDE, 3), np.uint8)


def make(desk: Desk, source: str) -> None:
    strokes.click(desk.panel.source._buttons[source])


def pair(desk: Desk) -> tuple[Image, Labels]:
    image, nuclei = desk.results()
    return image, nuclei


def take_tool(desk: Desk, tool: str) -> None:
    strokes.click(desk.panel.hand.buttons[tool])
    assert desk.panel.hand.buttons[tool].isChecked()


def carry(desk: Desk, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag a nucleus as a hand does: over some places in between."""
    path = [tuple(np.array(start) + share * (np.array(end) - start)) for share in np.linspace(0, 1, 8)]
    strokes.drag(desk.viewer, strokes.find_canvas(desk.widget), path, pause_ms=5)


def wait_jobs(desk: Desk, sowing: Sowing, count: int) -> None:
    """Wait until so many jobs were sent and the last has ended."""
    desk.wait(f"{count} jobs", lambda: len(sowing.submitted) >= count)
    desk.wait_idle()


def delete_and_hold(desk: Desk, sowing: Sowing) -> None:
    """Delete the first nucleus; the job that makes its place anew is sent, the second one, and does not end."""
    sowing.hold_at = 0
    take_tool(desk, "delete")
    desk.click_at((20, 20))
    desk.wait("the edit's job", lambda: len(sowing.submitted) == 2)


def painted_pair(desk: Desk) -> tuple[Image, Labels]:
    """Let the nuclei of the layer be painted, and return image and nuclei."""
    make(desk, "keep")
    desk.click_run()
    (image,) = desk.results()
    return image, desk.viewer.layers["nuclei"]


def chip_texts(desk: Desk) -> list[str]:
    desk.widget.check_now()
    return [chip.text for chip in desk.panel.chips.chips]


def press_fix(desk: Desk, title: str) -> None:
    strokes.click(next(b for b in desk.panel.chips.findChildren(QPushButton) if b.text() == title))
