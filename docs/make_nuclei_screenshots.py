"""Makes the pictures of nuclei and histology in docs/images: the real viewer, service and model, and a real mouse.

    sh scripts/with_display.sh .venv/bin/python docs/make_nuclei_screenshots.py

State goes to a temporary folder, so the pictures show what a new user sees. A folder of models to use beside those that ship may
follow, and a folder for the pictures after it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from new_user import new_user, open_panel

IMAGES = Path(__file__).parent / "images"
MODEL = "nuclei-he"
SEED = 4
PLACES = ((70, 60), (84, 150), (150, 96), (168, 190), (110, 210))
"""Where nuclei are painted, y and x."""
DENSITY, AREA_PX = 25.0, 450.0
"""What the pair is asked for: nuclei enough to fill a picture, large enough to be seen."""
CARRIED_PX = 30


def main() -> None:
    """Take two pictures: a pair from nothing with a nucleus moved, a field completed around painted nuclei."""
    with new_user(sys.argv[1] if len(sys.argv) > 1 else ""):
        take_pictures(Path(sys.argv[2]) if len(sys.argv) > 2 else IMAGES)


def take_pictures(folder: Path) -> None:
    """Write nuclei-moved.png, and nuclei-completed.png in the light theme."""
    from napari_medsynth import strokes

    with open_panel("Nuclei + histology", (1200, 800)) as (viewer, widget):
        strokes.wait_until("the engine's start", lambda: bool(widget.model_id) and widget.panel.button.isEnabled(), seconds=300)
        _pick(widget)
        widget.panel.seed_row.restore(SEED, locked=True, count=1)
        widget.panel.density.show_numbers([DENSITY])
        widget.panel.area.show_numbers([AREA_PX])
        _run(widget)
        _move_one(viewer, widget)
        _take(widget, folder / "nuclei-moved.png")
        viewer.layers.clear()
        viewer.theme = "light"
        _paint(viewer, widget)
        _run(widget)
        viewer.layers.selection.active = widget.desk.mask
        _take(widget, folder / "nuclei-completed.png")


def _pick(widget: Any) -> None:
    box = widget.panel.model
    box.setCurrentIndex(next(i for i in range(box.count()) if box.itemData(i).id == MODEL))


def _run(widget: Any) -> None:
    from medsynth_core.errors import JobError
    from napari_medsynth import strokes

    button = widget.panel.button
    strokes.wait_until("an enabled button", button.isEnabled, seconds=60)
    strokes.click(button)
    strokes.wait_until("the run", lambda: button.mode.value == "ready", seconds=300)
    if widget.panel.message.text:
        raise JobError(widget.panel.message.text)


def _move_one(viewer: Any, widget: Any) -> None:
    """Carry the nucleus that is nearest to the middle a little, and wait for its image; the outline stays in the picture."""
    from napari_medsynth import strokes

    nuclei = widget.desk.mask
    places = np.argwhere(np.asarray(nuclei.data) > 0)
    y, x = places[np.abs(places - np.array(nuclei.data.shape) / 2).sum(axis=1).argmin()]
    number = nuclei.data[y, x]
    start = np.argwhere(np.asarray(nuclei.data) == number).mean(axis=0)
    strokes.click(widget.panel.hand.buttons["move"])
    path = [(float(start[0]), float(start[1] + share * CARRIED_PX)) for share in np.linspace(0, 1, 10)]
    strokes.drag(viewer, strokes.find_canvas(widget), path, pause_ms=20)
    strokes.wait_until("the edit", lambda: "edits" in widget.desk.image.metadata["medsynth"], seconds=300)


def _paint(viewer: Any, widget: Any) -> None:
    from napari_medsynth import strokes

    strokes.click(widget.panel.mask_row.new)
    strokes.settle()
    viewer.reset_view()
    strokes.settle()
    for i, (y, x) in enumerate(PLACES):
        strokes.drag(viewer, strokes.find_canvas(widget), strokes.spiral((y, x), (5 + i % 3, 4 + i % 2), turns=2))
    strokes.settle()


def _take(widget: Any, path: Path) -> None:
    """Write a picture of the window; in few colors, as other pictures are, tissue would have bands."""
    from napari_medsynth import demo, strokes

    strokes.settle(800)
    demo.save_picture(widget.window(), path)


if __name__ == "__main__":
    main()
