"""A hand on the canvas: real mouse events where a person would make them. Used by the demo, the tests and the benchmarks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import napari
from qtpy import QtTest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QAbstractButton, QApplication, QWidget

from medsynth_core.errors import MedSynthError

CANVAS_CLASS = "CanvasBackendDesktop"
QTest: Any = QtTest.QTest
"""Untyped: the stubs of PyQt6 take its static functions for methods."""
Place = tuple[float, float]


def find_canvas(inside: QWidget) -> QWidget:
    """Return the drawing surface of the viewer whose window holds the widget `inside`."""
    window = inside.window()
    surfaces = [child for child in window.findChildren(QWidget) if type(child).__name__ == CANVAS_CLASS] if window else []
    if not surfaces:
        raise MedSynthError("the viewer has no canvas to paint on: show its window first")
    return surfaces[0]


def on_canvas(viewer: napari.Viewer, canvas: QWidget, place: Place) -> QPoint:
    """Return the canvas pixel that shows the world place (y, x) of a 2-D view, whichever way it is turned."""
    y, x = viewer.camera.center[-2:]
    _, vertical, horizontal = (direction.value for direction in viewer.camera.orientation)
    down = viewer.camera.zoom * (1 if vertical == "down" else -1)
    right = viewer.camera.zoom * (1 if horizontal == "right" else -1)
    return QPoint(round(canvas.width() / 2 + (place[1] - x) * right), round(canvas.height() / 2 + (place[0] - y) * down))


def drag(viewer: napari.Viewer, canvas: QWidget, places: Sequence[Place], pause_ms: int = 1) -> None:
    """Press at the first place, move through all with a pause at each, release at the last."""
    points = [on_canvas(viewer, canvas, place) for place in places]
    QTest.mouseMove(canvas, points[0])
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, points[0])
    for point in points[1:]:
        QTest.mouseMove(canvas, point)
        QTest.qWait(pause_ms)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, points[-1])
    QApplication.processEvents()


def spiral(center: Place, radii: Place, turns: int = 4, points: int = 64) -> list[Place]:
    """Return places that fill an ellipse from its center outwards, as a person would paint one."""
    path = []
    for i in range(points + 1):
        share = min(1.0, i / (points * 0.75))  # the last quarter goes once around the rim
        angle = 2 * math.pi * turns * i / points
        path.append((center[0] + radii[0] * share * math.sin(angle), center[1] + radii[1] * share * math.cos(angle)))
    return path


def click(button: QAbstractButton) -> None:
    """Click a button with the mouse."""
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def wait_until(what: str, holds: Callable[[], bool], seconds: float = 60.0) -> None:
    """Let the viewer live until `holds()`. Raises MedSynthError naming `what` when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise MedSynthError(f"{what} did not happen within {seconds:.0f} s: see the engine's log with `msynth engine logs`")
        QTest.qWait(10)


def settle(milliseconds: int = 400) -> None:
    """Let everything that waits for its turn be drawn."""
    QTest.qWait(milliseconds)
