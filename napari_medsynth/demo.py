"""The demo: the real viewer, a real image, a lesion painted with the mouse, and a click on Synthesize."""

from __future__ import annotations

import os
from pathlib import Path

import napari

from medsynth_core.errors import JobError, MedSynthError, ModelNotFoundError
from napari_medsynth import strokes
from napari_medsynth.primary_button import Mode
from napari_medsynth.samples import SAMPLES, Sample
from napari_medsynth.synthesize_widget import SynthesizeWidget

MODEL = "brain-slice"
SEED = 7
LESIONS = {"brain-slice": ((108.0, 98.0), (15.0, 13.0)), "polyp": ((150.0, 205.0), (42.0, 48.0))}
"""Where the demo paints on the first sample of each model: center (y, x) and radii in pixels."""


def main(save: Path | None = None, model: str = MODEL) -> None:
    """Paint, synthesize and leave the viewer open; with `save`, write a picture of the window there and close it instead.

    Raises MedSynthError when any of it does not work.
    """
    sample = next((s for s in SAMPLES if s.model == model), None)
    if sample is None:
        raise ModelNotFoundError(f"the demo has no sample for {model!r}: choose {' or '.join(sorted(LESIONS))}")
    viewer = napari.Viewer(title="MedSynth demo", show=False)
    try:
        panel = _open(viewer, sample)
        _paint(viewer, panel, model)
        _synthesize(panel)
        if save is None:
            napari.run()
        else:
            _save(panel, save)
    finally:
        if save is not None:
            viewer.close()


def _open(viewer: napari.Viewer, sample: Sample) -> SynthesizeWidget:
    """Show the viewer with the sample's image and the panel beside it, and wait for the engine."""
    viewer.add_image(sample.image(), name=sample.title)
    widget = SynthesizeWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Synthesize", area="right")
    viewer.window.resize(1400, 900)
    viewer.window.show()
    viewer.reset_view()
    strokes.wait_until("the engine's start", lambda: bool(widget.model_id) or bool(widget.panel.message.text))
    _pick_model(widget, sample.model)
    return widget


def _pick_model(widget: SynthesizeWidget, model: str) -> None:
    box = widget.panel.model
    for index in range(box.count()):
        if box.itemData(index).id == model:
            box.setCurrentIndex(index)
            return
    raise ModelNotFoundError(f"the model {model!r} is not installed: reinstall MedSynth, its starter models are missing")


def _paint(viewer: napari.Viewer, widget: SynthesizeWidget, model: str) -> None:
    """Make a mask with the panel's button and paint the lesion with the mouse."""
    strokes.click(widget.panel.mask_row.new)
    mask = widget.desk.mask
    if mask is None:
        raise MedSynthError("the button made no mask")
    canvas = strokes.find_canvas(widget)
    strokes.wait_until("the first picture", lambda: canvas.isVisible() and canvas.width() > 100)
    strokes.drag(viewer, canvas, strokes.spiral(*LESIONS[model]), pause_ms=8)
    if not mask.data.any():
        raise MedSynthError("the strokes left no paint: the canvas got no mouse events")


def _synthesize(widget: SynthesizeWidget) -> None:
    """Click the button with a locked seed and wait for the image."""
    widget.panel.seed_row.restore(SEED, locked=True, count=1)
    button = widget.panel.button
    strokes.wait_until("the pre-flight check", button.isEnabled)
    strokes.click(button)
    strokes.wait_until("the image", lambda: button.mode is Mode.READY, seconds=120)
    if widget.panel.message.text:
        raise JobError(widget.panel.message.text)
    if widget.desk.mask is not None:
        widget.desk.mask.contour = 2  # the outline alone, so that the lesion under it is seen


def _save(widget: SynthesizeWidget, path: Path) -> None:
    strokes.wait_until("the check after the image", lambda: bool(widget.panel.chips.chips))
    strokes.settle()
    part = path.with_name(f"{path.stem}.partial{path.suffix}")
    window = widget.window()
    if window is None or not window.grab().save(str(part)):
        raise MedSynthError("the picture could not be written: choose another place for it")
    os.replace(part, path)
