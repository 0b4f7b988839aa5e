"""Makes the pictures of a growth in docs/images: the real viewer, service and model, placed with the mouse.

    sh scripts/with_display.sh .venv/bin/python docs/make_tumor_screenshots.py

State goes to a temporary folder, so the pictures show what a new user sees. A folder of models to use beside those that ship may
follow, and a folder for the pictures after it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from new_user import new_user, open_panel

IMAGES = Path(__file__).parent / "images"
SLICES = 48
MOMENTS = {2: 2, 3: 15, 4: 30}
"""Picture by number: how many slices are there when it is taken."""
WHERE = (18.0, 30.0)
"""World y and x in mm: to the front and to the patient's right."""
VOLUME_ML = 40.0
COLORS = 256
"""Enough for greys, the theme, lamps and an outline; the files shrink to half."""
SEED = 3


def main() -> None:
    """Grow one tumor in a new head and take six pictures of it."""
    with new_user(sys.argv[1] if len(sys.argv) > 1 else ""):
        take_pictures(Path(sys.argv[2]) if len(sys.argv) > 2 else IMAGES)


def take_pictures(folder: Path) -> None:
    """Place a tumor, let it grow, and write tumor-growth-1.png to -6.png; the fifth in the light theme."""
    from napari_medsynth import strokes

    with open_panel("Grow a tumor volume", (1200, 760)) as (viewer, widget):
        strokes.wait_until("the engine's start", lambda: bool(widget.model_id) and widget.panel.button.isEnabled(), seconds=180)
        _place(viewer, widget)
        _take(widget, folder, 1)
        grown = _grow(widget)
        for number, count in MOMENTS.items():
            strokes.wait_until(f"{count} slices", lambda count=count: grown() >= count, seconds=300)
            _take(widget, folder, number)
        strokes.wait_until("the volume", lambda: widget.panel.button.mode.value == "ready", seconds=300)
        viewer.theme = "light"
        strokes.settle()
        _take(widget, folder, 5)
        viewer.theme = "dark"
        _show_body(viewer, widget)
        _take(widget, folder, 6)


def _place(viewer: Any, widget: Any) -> None:
    from qtpy.QtCore import Qt

    from napari_medsynth import strokes

    widget.panel.seed_row.restore(SEED, locked=True, count=1)
    widget.panel.restore_params({"slices": SLICES})
    strokes.click(widget.panel.place_row.place)
    strokes.settle()
    canvas = strokes.find_canvas(widget)
    point = strokes.on_canvas(viewer, canvas, WHERE)
    strokes.QTest.mouseMove(canvas, point)
    strokes.QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, point)
    widget.desk.show(replace(widget.desk.request, volume_ml=VOLUME_ML))
    strokes.settle()


def _grow(widget: Any) -> Callable[[], int]:
    """Click the button and return what counts the slices that are there."""
    from medsynth_core.errors import JobError
    from napari_medsynth import strokes

    strokes.click(widget.panel.button)

    def grown() -> int:
        if widget.panel.message.text:
            raise JobError(widget.panel.message.text)
        return len(widget.growth.growing.order) if widget.growth.growing else 0

    return grown


def _show_body(viewer: Any, widget: Any) -> None:
    """Look at the volume in 3-D, from the front and a little from the side."""
    from napari_medsynth import strokes

    strokes.click(widget.panel.place_row.place)
    viewer.dims.ndisplay = 3
    viewer.reset_view()
    viewer.camera.set_view_direction(view_direction=(-0.2, -1.0, -0.6), up_direction=(1.0, 0.0, 0.0))
    strokes.settle(3000)


def _take(widget: Any, folder: Path, number: int) -> None:
    """Write a picture of the window, in few colors."""
    from PIL import Image

    from napari_medsynth import demo, strokes

    strokes.settle(60)
    path = folder / f"tumor-growth-{number}.png"
    demo.save_picture(widget.window(), path)
    with Image.open(path) as opened:
        opened.convert("RGB").quantize(COLORS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
