"""Makes the pictures of a training in docs/images: the real viewer, service and network, from a folder to a model in use.

    sh scripts/with_display.sh .venv/bin/python docs/make_train_screenshots.py PAIRS [STEPS] [FOLDER]

PAIRS holds images/ and masks/ with equal names; it is copied, and two files of the copy are spoiled, so that the doctor has
something to say. State goes to a temporary folder. Without FOLDER the pictures of docs/train.md are made; into a FOLDER come
those of every stage, in both themes, as train-doctor-dark.png and so on.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from new_user import new_user

IMAGES = Path(__file__).parent / "images"
THEMES = ("light", "dark")
KEPT = ("doctor-dark", "running-dark", "done-light", "used-dark")
PATIENCE = 3600.0
BATCH = 4
SIZE = (1180, 1000)


def main() -> None:
    """Train once, and take a picture of every stage."""
    pairs, steps = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 150
    folder = Path(sys.argv[3]) if len(sys.argv) > 3 else IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, new_user():
        data = Path(scratch) / "my polyps"
        shutil.copytree(pairs, data)
        spoil(data)
        take_pictures(data, steps, folder)


def spoil(data: Path) -> None:
    """Take the mask of one pair away, and cut the image of another short."""
    images, masks = sorted((data / "images").iterdir()), sorted((data / "masks").iterdir())
    masks[3].unlink()
    images[7].write_bytes(images[7].read_bytes()[:900])


def take_pictures(data: Path, steps: int, folder: Path) -> None:
    """Go from a folder to an image of the new model with mouse and keys."""
    import napari

    from napari_medsynth import strokes
    from napari_medsynth.samples import SAMPLES
    from napari_medsynth.train_widget import TrainWidget

    viewer = napari.Viewer(show=False)
    try:
        viewer.theme = "dark"
        sample = next(one for one in SAMPLES if one.model == "polyp")
        viewer.add_image(sample.image(), name=sample.title)
        viewer.add_labels(sample.mask(), name="mask")
        widget = TrainWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Train on your own cases", area="right")
        viewer.window.show()
        viewer.window.resize(*SIZE)
        viewer.reset_view()

        def take(stage: str) -> None:
            _take(viewer, widget.window() if stage == "used" else widget, folder, stage)

        strokes.wait_until("the engine's start", lambda: widget.capabilities is not None, PATIENCE)
        take("empty")
        _examine(widget, data, take)
        _order(widget, steps, take)
        _follow(widget, steps, take)
        _use(widget, take)
    finally:
        viewer.close()


def _examine(widget: Any, data: Path, take: Callable[[str], None]) -> None:
    """Type the folder, see what the doctor says, and exclude what stops."""
    from qtpy.QtCore import Qt

    from napari_medsynth import strokes

    panel, doctor = widget.panel, widget.order.doctor
    strokes.QTest.keyClicks(panel.folder.path, str(data))
    strokes.QTest.keyClick(panel.folder.path, Qt.Key.Key_Return)
    strokes.settle(500)
    take("looking")
    _wait(widget, "the doctor's report", lambda: doctor.report is not None and not doctor.looking)
    strokes.settle(3000)  # the pictures of the offenders come one by one
    take("doctor")
    strokes.click(panel.findings.exclude_all)
    _wait(widget, "a sound folder", lambda: doctor.report.ready and not doctor.looking)


def _order(widget: Any, steps: int, take: Callable[[str], None]) -> None:
    """Name the model and start."""
    from napari_medsynth import strokes

    settings = widget.panel.settings
    strokes.QTest.keyClicks(settings.name, "My polyps")
    strokes.QTest.keyClicks(settings.license, "CC BY 4.0")
    settings.steps.setValue(steps)
    settings.batch.setValue(BATCH)
    for line in settings.labels.values():
        strokes.QTest.keyClicks(line, "polyp")
        line.editingFinished.emit()
    strokes.settle(600)
    _wait(widget, "a button to click", widget.panel.button.isEnabled)
    take("ready")
    strokes.click(widget.panel.button)


def _follow(widget: Any, steps: int, take: Callable[[str], None]) -> None:
    """Watch the training, let it rest once, and see it end."""
    from napari_medsynth import strokes

    watch, view = widget.follow.watch, widget.panel.view

    def there(step: int) -> bool:
        return bool(watch.training) and (watch.training.step >= step or watch.training.state.ended)

    _wait(widget, "half of the training", lambda: there(steps // 2))
    strokes.settle(2500)
    take("running")
    if view.pause.isVisible():
        strokes.click(view.pause)
        _wait(widget, "the rest", lambda: watch.training.state.value == "paused")
        take("paused")
        strokes.click(view.resume)
    _wait(widget, "the model", view.use.isVisible)
    strokes.settle(2500)
    take("done")


def _use(widget: Any, take: Callable[[str], None]) -> None:
    """Open Synthesize by the link and make an image of the new model."""
    from napari_medsynth import panels, strokes

    strokes.click(widget.panel.view.use)
    other = panels.open_panel(widget._viewer, "synthesize")
    strokes.wait_until("the new model", lambda: other.model_id == "my-polyps", PATIENCE)
    strokes.wait_until("a button to click", other.panel.button.isEnabled, PATIENCE)
    strokes.click(other.panel.button)
    strokes.wait_until("the image", lambda: other.panel.button.mode.value == "ready", PATIENCE)
    take("used")


def _wait(widget: Any, what: str, holds: Callable[[], bool]) -> None:
    from medsynth_core.errors import JobError
    from napari_medsynth import strokes

    began = time.monotonic()

    def so() -> bool:
        if widget.panel.message.text:
            raise JobError(widget.panel.message.text)
        return holds()

    strokes.wait_until(what, so, PATIENCE)
    print(f"{what}: {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201


def _take(viewer: Any, shown: Any, folder: Path, stage: str) -> None:
    """Write pictures of a widget in both themes; of docs/train.md alone where no other folder is meant."""
    from napari_medsynth import demo, strokes

    for theme in THEMES:
        if folder != IMAGES or f"{stage}-{theme}" in KEPT:
            viewer.theme = theme
            strokes.settle(700)
            demo.save_picture(shown, folder / f"train-{stage}-{theme}.png")


if __name__ == "__main__":
    main()
