"""The demo: the real viewer, a real image, a lesion painted with the mouse, and a click on Synthesize."""

from __future__ import annotations

import os
from pathlib import Path

import napari
import numpy as np
from qtpy.QtWidgets import QWidget

from medsynth_core.errors import JobError, MedSynthError, ModelNotFoundError
from napari_medsynth import strokes
from napari_medsynth.primary_button import Mode
from napari_medsynth.samples import SAMPLES, Sample
from napari_medsynth.synthesize_widget import SynthesizeWidget

MODEL = "brain-slice"
SEED = 10


def main(save: Path | None = None, model: str = MODEL) -> None:
    """Paint, synthesize and leave the viewer open; with `save`, write a picture of the window there and close it instead.

    Raises MedSynthError when any of it does not work.
    """
    viewer = napari.Viewer(title="MedSynth demo", show=False)
    try:
        widget = play(viewer, model)
        if save is None:
            napari.run()
        else:
            strokes.settle()
            save_picture(widget.window(), save)
    finally:
        if save is not None:
            viewer.close()


def play(viewer: napari.Viewer, model: str, images: int = 1) -> SynthesizeWidget:
    """Open a sample and the panel, paint a lesion, click Synthesize, and return the panel when the images are there."""
    sample = next((s for s in SAMPLES if s.model == model), None)
    if sample is None:
        known = " or ".join(sorted({s.model for s in SAMPLES}))
        raise ModelNotFoundError(f"the demo has no sample for {model!r}: choose {known}")
    widget = _open(viewer, sample)
    _paint(viewer, widget, sample)
    _synthesize(widget, images)
    return widget


def save_picture(widget: QWidget | None, path: Path) -> None:
    """Write what a widget shows, whole or not at all."""
    part = path.with_name(f"{path.stem}.partial{path.suffix}")
    if widget is None or not widget.grab().save(str(part)):
        raise MedSynthError("the picture could not be written: choose another place for it")
    os.replace(part, path)


def _open(viewer: napari.Viewer, sample: Sample) -> SynthesizeWidget:
    """Show the viewer with the sample's image and the panel beside it, and wait for the engine."""
    viewer.add_image(sample.image(), name=sample.title)
    widget = SynthesizeWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Synthesize", area="right")
    viewer.window.show()
    viewer.window.resize(1400, 900)  # after showing, which restores the size of the last session
    viewer.reset_view()
    strokes.wait_until("the engine's start", lambda: bool(widget.model_id) or bool(widget.panel.message.text))
    _pick_model(widget, sample.model)
    widget.panel.restore_params(sample.options)
    return widget


def _pick_model(widget: SynthesizeWidget, model: str) -> None:
    box = widget.panel.model
    for index in range(box.count()):
        if box.itemData(index).id == model:
            box.setCurrentIndex(index)
            return
    raise ModelNotFoundError(f"the model {model!r} is not installed: reinstall MedSynth, its starter models are missing")


def _paint(viewer: napari.Viewer, widget: SynthesizeWidget, sample: Sample) -> None:
    """Make a mask with the panel's button and paint the lesion with the mouse."""
    strokes.click(widget.panel.mask_row.new)
    mask = widget.desk.mask
    if mask is None:
        raise MedSynthError("the button made no mask")
    canvas = strokes.find_canvas(widget)
    strokes.wait_until("the first picture", lambda: canvas.isVisible() and canvas.width() > 100)
    strokes.drag(viewer, canvas, strokes.spiral(*_lesion(sample, mask.brush_size)), pause_ms=8)
    if not mask.data.any():
        raise MedSynthError("the strokes left no paint: the canvas got no mouse events")


def _lesion(sample: Sample, brush_size: float) -> tuple[strokes.Place, strokes.Place]:
    """Return where to move a brush so that it fills about the sample's real lesion: center (y, x) and radii in pixels."""
    rows, columns = np.nonzero(sample.mask())
    radii = [max(2.0, np.ptp(places) / 2 - brush_size / 2) for places in (rows, columns)]
    return (float(rows.mean()), float(columns.mean())), (radii[0], radii[1])


def _synthesize(widget: SynthesizeWidget, images: int) -> None:
    """Click the button with a locked seed and wait for the images."""
    widget.panel.seed_row.restore(SEED, locked=True, count=images)
    button = widget.panel.button
    strokes.wait_until("the pre-flight check", button.isEnabled)
    strokes.click(button)
    strokes.wait_until("the image", lambda: button.mode is Mode.READY, seconds=120)
    if widget.panel.message.text:
        raise JobError(widget.panel.message.text)
    if widget.desk.mask is not None:
        widget.desk.mask.contour = 2  # the outline alone, so that the lesion under it is seen
