"""A person at napari, in a process and an environment of its own: a real viewer whose panel and list of jobs are used by mouse.

It is told what to do by lines of JSON, [deed, {words}], and answers each by one that begins with ANSWER: [result, error].
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import sys
import threading
from typing import Any

ANSWER = "> "
MASK = {"scale": (0.5, 2.0), "rotate": 30.0, "translate": (-7.0, 40.0), "units": ("mm", "mm")}
SHAPE = (16, 16)


class Hand:
    """What can be asked of the person; each deed runs on the viewer's thread."""

    def __init__(self) -> None:
        import napari
        import numpy as np

        from napari_medsynth.jobs_widget import JobsWidget
        from napari_medsynth.synthesize_widget import SynthesizeWidget

        self.viewer = napari.Viewer()
        self.viewer.window.resize(1200, 800)
        self.viewer.add_labels(np.ones(SHAPE, np.uint8), name="lesion", **MASK)
        self.panel = SynthesizeWidget(self.viewer, engine="fake")
        self.listed = JobsWidget(self.viewer)
        self.viewer.window.add_dock_widget(self.panel, name="Synthesize", area="right")
        self.viewer.window.add_dock_widget(self.listed, name="Jobs", area="right")

    def run(self, seed: int, **params: Any) -> None:
        """Click *Synthesize*, with these parameters of the engine."""
        from napari_medsynth import strokes

        strokes.wait_until("the engine's answer", lambda: self.panel.model.capabilities is not None, 60)
        self.panel.panel.restore_params(params)
        self.panel.panel.seed_row.restore(seed, locked=True, count=1)
        strokes.wait_until("an enabled button", self.panel.panel.button.isEnabled, 20)
        strokes.click(self.panel.panel.button)

    def jobs(self) -> list[Any]:
        """Return what the list shows, row by row."""
        return self.listed.jobs.texts()

    def open(self, row: int) -> dict[str, Any]:
        """Double-click a job and return the layer that comes."""
        from qtpy.QtCore import Qt

        from napari_medsynth import strokes

        before = set(self.viewer.layers)
        table = self.listed.jobs.table
        item, port = table.item(row, 0), table.viewport()
        at = table.visualItemRect(item).center()
        for act in (strokes.QTest.mouseClick, strokes.QTest.mouseDClick):
            act(port, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
        strokes.wait_until("the layer", lambda: set(self.viewer.layers) != before, 30)
        (layer,) = set(self.viewer.layers) - before
        return self.told(layer)

    def layer(self, name: str) -> dict[str, Any]:
        """Return a layer by the first words of its name, once it is there."""
        from napari_medsynth import strokes

        strokes.wait_until(name, lambda: any(layer.name.startswith(name) for layer in self.viewer.layers), 30)
        return self.told(next(layer for layer in self.viewer.layers if layer.name.startswith(name)))

    def told(self, layer: Any) -> dict[str, Any]:
        """Return a layer's name, voxels and, for each corner, where napari itself says that it lies in the world."""
        corners = list(itertools.product(*[(0, n - 1) for n in layer.data.shape]))
        return {
            "name": layer.name,
            "shape": layer.data.shape,
            "voxels": hashlib.sha256(layer.data.tobytes()).hexdigest(),
            "corners": [[corner, [float(at) for at in layer.data_to_world(corner)]] for corner in corners],
            "synthetic": layer.metadata.get("medsynth", {}).get("synthetic"),
        }

    def picture(self, path: str) -> None:
        """Save what the screen shows."""
        from napari_medsynth import strokes

        strokes.settle()
        self.viewer.window.screenshot(path, flash=False, canvas_only=False)

    def obey(self, line: str) -> None:
        """Do what a line says, and answer."""
        deed, words = json.loads(line)
        try:
            answer = [getattr(self, deed)(**words), ""]
        except Exception as problem:
            logging.exception("%s did not work", deed)
            answer = [None, f"{type(problem).__name__}: {problem}; napari says: {self.panel.panel.message.text}"]
        sys.stdout.write(f"{ANSWER}{json.dumps(answer)}\n")
        sys.stdout.flush()


def main() -> None:
    """Do what is said until nothing more is."""
    import napari

    from napari_medsynth.courier import Courier

    hand, courier = Hand(), Courier()

    def listen() -> None:
        for line in sys.stdin:
            courier.post(lambda line=line: hand.obey(line))
        courier.post(hand.viewer.close)

    threading.Thread(target=listen, daemon=True).start()
    napari.run()


if __name__ == "__main__":
    main()
