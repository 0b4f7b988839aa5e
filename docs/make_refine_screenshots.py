"""Makes the pictures of Refine in docs/images: the real viewer, service and model on a sample with a rough mask.

    sh scripts/with_display.sh .venv/bin/python docs/make_refine_screenshots.py

State goes to a temporary folder, so the pictures show what a new user sees. A folder of models to use beside those that ship may
follow, such as a refiner in training.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from new_user import new_user, open_panel

IMAGES = Path(__file__).parent / "images"
RUNS = 8
"""Enough for the runs to disagree where the boundary is unsure."""


def main() -> None:
    """Refine two samples, one in each theme."""
    with new_user(sys.argv[1] if len(sys.argv) > 1 else ""):
        take_picture("brain_slice_1_rough", "dark", uncertainty=False, name="refine-panel.png")
        take_picture("polyp_1_rough", "light", uncertainty=True, name="refine-uncertainty.png")


def take_picture(sample: str, theme: str, uncertainty: bool, name: str) -> None:
    """Open a sample and the panel, click Refine, and write a picture of the window."""
    from napari_medsynth import demo, strokes

    with open_panel("Refine", (1300, 860), theme) as (viewer, widget):
        viewer.open_sample("napari-medsynth", sample.replace("_", "-"))
        viewer.reset_view()
        viewer.camera.zoom *= 1.6
        _refine(widget)
        if uncertainty:
            widget.panel.review.uncertainty.click()
            strokes.click(widget.panel.review.next_place)
        strokes.settle(800)
        demo.save_picture(widget.window(), IMAGES / name)


def _refine(widget: Any) -> None:
    from medsynth_core.errors import JobError
    from napari_medsynth import strokes
    from napari_medsynth.primary_button import Mode

    button = widget.panel.button
    strokes.wait_until("the engine's start", lambda: bool(widget.model_id) and button.isEnabled(), seconds=120)
    widget.panel.restore_params({"samples": RUNS})
    strokes.click(button)
    strokes.wait_until("the preview", lambda: button.mode is Mode.READY, seconds=300)
    if widget.panel.message.text:
        raise JobError(widget.panel.message.text)


if __name__ == "__main__":
    main()
