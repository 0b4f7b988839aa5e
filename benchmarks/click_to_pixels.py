"""From a real click on Synthesize to the image on the screen, in the real viewer: seconds, as JSON.

    sh scripts/with_display.sh .venv/bin/python -m benchmarks.click_to_pixels [--model brain-slice] [--steps 4] [--runs 10]

The clock starts before the mouse button goes down and stops when the canvas has drawn a frame after the result layer came. The
service, the model and the panel are the ones a user has; the first run (cold) is reported apart. Target: 0.8 s.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import napari
import numpy as np
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QApplication

from napari_medsynth import strokes
from napari_medsynth.synthesize_widget import SynthesizeWidget

TARGET_SECONDS = 0.8
SIDE = 128


class FrameClock(QObject):
    """Notes when a layer came and when the canvas was last drawn; both happen within one round of Qt's events."""

    drawn_at = came_at = 0.0

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Take the time of each paint, and let it happen."""
        if event is not None and event.type() in (QEvent.Type.Paint, QEvent.Type.UpdateRequest):
            self.drawn_at = time.perf_counter()
        return False

    def note_layer(self) -> None:
        """Take the time at which a layer was added."""
        self.came_at = time.perf_counter()


def measure(model: str, steps: int, runs: int) -> dict[str, object]:
    """Return cold and warm times from click to pixels, and what the engine itself took."""
    viewer = napari.Viewer(show=False)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[50:75, 45:70] = 1
    viewer.add_labels(mask, name="mask")
    widget = SynthesizeWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Synthesize", area="right")
    viewer.window.resize(1400, 900)
    viewer.window.show()
    strokes.wait_until("the engine's start", lambda: bool(widget.model_id), 60)
    box = widget.panel.model
    box.setCurrentIndex(next(i for i in range(box.count()) if box.itemData(i).id == model))
    widget.panel.restore_params({"steps": steps})
    strokes.wait_until("the check", widget.panel.button.isEnabled)
    clock = FrameClock()
    strokes.find_canvas(widget).installEventFilter(clock)
    viewer.layers.events.inserted.connect(lambda _: clock.note_layer())
    times = [_once(widget, clock) for _ in range(runs + 1)]
    engine = next((s for key, s in widget.remembered.seconds.items() if key.startswith(f"{model}/{steps}/")), None)
    viewer.close()
    return _summary(model, steps, times, engine)


def _once(widget: SynthesizeWidget, clock: FrameClock) -> float:
    strokes.wait_until("the button", widget.panel.button.isEnabled)
    began = time.perf_counter()
    strokes.click(widget.panel.button)
    while not began < clock.came_at < clock.drawn_at:
        QApplication.processEvents()
        if widget.panel.message.text or time.perf_counter() - began > 120:
            raise SystemExit(f"no image came: {widget.panel.message.text or 'after 120 s'}")
        time.sleep(0.0005)
    taken = time.perf_counter() - began
    strokes.settle(300)
    return taken


def _summary(model: str, steps: int, times: list[float], engine: float | None) -> dict[str, object]:
    cold, warm = times[0], sorted(times[1:])
    return {
        "benchmark": "click_to_pixels",
        "model": model,
        "steps": steps,
        "runs": len(warm),
        "first_s": round(cold, 3),
        "p50_s": round(statistics.median(warm), 3),
        "worst_s": round(warm[-1], 3),
        "engine_s": engine,
        "target_s": TARGET_SECONDS,
        "ratio_to_target": round(statistics.median(warm) / TARGET_SECONDS, 2),
    }


def main() -> None:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="brain-slice")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--runs", type=int, default=10)
    given = parser.parse_args()
    print(json.dumps(measure(given.model, given.steps, given.runs)))


if __name__ == "__main__":
    main()
