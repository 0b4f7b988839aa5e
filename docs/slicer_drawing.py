"""Slicer's own slice views without Slicer's window: trame-slicer over the real scene, drawn offscreen.

Red is axial, Yellow sagittal, Green coronal, as in Slicer; patient right is on the left of the screen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from PIL import Image, ImageDraw, ImageFont
from trame_slicer.core import SlicerApp
from trame_slicer.views import DirectViewFactory, ViewLayoutDefinition, ViewProps, ViewType
from vtk.util import numpy_support

SIDE = 380
"""Pixels across and down of a view."""
BAR, GAP = 18, 4
ORIENTATIONS = {"Red": "Axial", "Yellow": "Sagittal", "Green": "Coronal"}
COLORS = {"Red": (243, 74, 51), "Yellow": (237, 213, 76), "Green": (110, 176, 75)}
"""Slicer's own colors of the three views."""
EDGES = {"Red": "RLAP", "Yellow": "APSI", "Green": "RLSI"}
"""What lies to the left, to the right, on top and at the bottom of each view, by radiological convention."""
ACROSS = {"Red": 2, "Yellow": 0, "Green": 1}
"""The axis of the world that each view cuts across."""
Place = tuple[float, float, float]
"""A world point: right, anterior, superior, mm."""


@dataclass(frozen=True)
class Look:
    """Where the views look: all cut through `point`, and have `middle` in their middle otherwise; `span_mm` from edge to edge."""

    point: Place
    middle: Place
    span_mm: float

    def center(self, view: str) -> Place:
        """Return the world point in the middle of a view."""
        mixed = list(self.middle)
        mixed[ACROSS[view]] = self.point[ACROSS[view]]
        return mixed[0], mixed[1], mixed[2]

    @property
    def mm_per_pixel(self) -> float:
        """Of a view, both ways."""
        return self.span_mm / SIDE


class SliceViews:
    """The three slice views over a scene of their own, which becomes `slicer.mrmlScene`."""

    def __init__(self) -> None:
        vtk.vtkObject.GlobalWarningDisplayOff()  # of each window that it makes, VTK says which event to prefer from 9.6 on
        self._app = SlicerApp()
        slicer.mrmlScene = self._app.scene
        self._app.view_manager.register_factory(DirectViewFactory(do_render_offscreen=True))
        self._views = {name: self._view(name) for name in ORIENTATIONS}

    def show(self, volumes: Mapping[str, Any], look: Look) -> None:
        """Let each view show its volume node at a place; the views keep their anatomical orientation, however the volume lies."""
        for name, volume in volumes.items():
            view = self._views[name]
            node = view.get_view_node()
            view.set_background_volume_id(volume.GetID())
            node.SetOrientation(ORIENTATIONS[name])
            node.SetFieldOfView(look.span_mm, look.span_mm, 1.0)
            node.JumpSliceByCentering(*look.center(name))

    def picture(self, name: str) -> np.ndarray:
        """Return what a view draws, (y, x, 3) uint8, the first row on top."""
        view = self._views[name]
        view.render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(view.render_window())
        grab.ReadFrontBufferOff()
        grab.Update()
        x, y, _ = grab.GetOutput().GetDimensions()
        pixels = numpy_support.vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars()).reshape(y, x, -1)
        return np.ascontiguousarray(pixels[::-1, :, :3])

    def _view(self, name: str) -> Any:
        props = ViewProps(label=name[0], orientation=ORIENTATIONS[name], group=0)
        view = self._app.view_manager.create_view(ViewLayoutDefinition(name, ViewType.SLICE_VIEW, props))
        view.render_window().SetSize(SIDE, SIDE)
        view._logic.ResizeSliceNode(SIDE, SIDE)
        return view


def side_by_side(pictures: Mapping[str, np.ndarray], path: Path) -> None:
    """Write the three views into one PNG, under bars in Slicer's colors, with the letters of the sides."""
    sheet = Image.new("RGB", (3 * SIDE + 2 * GAP, SIDE + BAR), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for number, (name, pixels) in enumerate(pictures.items()):
        left = number * (SIDE + GAP)
        draw.rectangle((left, 0, left + SIDE - 1, BAR - 1), fill=COLORS[name])
        draw.text((left + 6, BAR / 2), ORIENTATIONS[name], "black", font, anchor="lm")
        sheet.paste(Image.fromarray(pixels), (left, BAR))
        for letter, (x, y), anchor in zip(EDGES[name], _edges(left), ("lm", "rm", "ma", "md"), strict=True):
            draw.text((x, y), letter, "white", font, anchor=anchor)
    sheet.save(path, optimize=True)


def _edges(left: int) -> tuple[tuple[float, float], ...]:
    middle_x, middle_y, inset = left + SIDE / 2, BAR + SIDE / 2, 6
    return (
        (left + inset, middle_y),
        (left + SIDE - inset, middle_y),
        (middle_x, BAR + inset),
        (middle_x, BAR + SIDE - inset),
    )
