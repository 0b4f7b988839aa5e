"""Makes the pictures of a training in docs/images: the real viewer, service and network, from a folder to a model in use.

    sh scripts/with_display.sh .venv/bin/python docs/make_train_screenshots.py PAIRS [--base polyp] [--steps 1000] [--to FOLDER]

PAIRS holds images/ and masks/ with equal names; it is copied, and three files of the copy are spoiled, so that the doctor has
something to say. State goes to a temporary folder. The viewer is closed once while the training runs, and another one opened.
Without --to the pictures of docs/train.md are made; into a folder come those of every stage, in both themes, as
train-doctor-dark.png and so on, and the model.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from new_user import new_user, open_panel

IMAGES = Path(__file__).parent / "images"
THEMES = ("light", "dark")
KEPT = ("doctor-dark", "running-dark", "done-light", "used-dark")
NAME, MODEL_ID = "My polyps", "my-polyps"
PATIENCE = 7200.0
SIZE = (1180, 1000)
BIG_BRUSH = 24


@dataclass(frozen=True)
class Wishes:
    """What is ordered, and where the pictures go. `batch` 0 is the preset's number, an empty `base` none."""

    base: str
    steps: int
    batch: int
    to: Path


def main() -> None:
    """Train once, and take a picture of every stage."""
    parser = argparse.ArgumentParser(description="Make the pictures of a training.")
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--base", default="", help="an installed model to go on from")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=0, help="cases a step; the preset's number if not said")
    parser.add_argument("--to", type=Path, default=IMAGES)
    said = parser.parse_args()
    said.to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, new_user():
        data = Path(scratch) / "my polyps"
        shutil.copytree(said.pairs, data)
        spoil(data)
        take_pictures(data, Wishes(said.base, said.steps, said.batch, said.to))
        if said.to != IMAGES:
            shutil.copytree(Path(os.environ["MEDSYNTH_HOME"]) / "models" / MODEL_ID, said.to / MODEL_ID, dirs_exist_ok=True)


def spoil(data: Path) -> None:
    """Take the mask of one pair away, cut the image of another short, and put one image there twice."""
    images, masks = sorted((data / "images").iterdir()), sorted((data / "masks").iterdir())
    masks[3].unlink()
    images[7].write_bytes(images[7].read_bytes()[:900])
    shutil.copy(images[11], images[12])


def take_pictures(data: Path, wishes: Wishes) -> None:
    """Go from a folder to an image of the new model with mouse and keys, in two viewers, one after the other."""
    with _ready() as (viewer, widget):
        take = _taker(viewer, widget, wishes.to)
        take("empty")
        _examine(widget, data, take)
        _order(widget, wishes, take)
        _follow(widget, wishes.steps, take)
    seen = _step_without_a_viewer()
    with _ready() as (viewer, widget):
        take = _taker(viewer, widget, wishes.to)
        _find_again(widget, seen, take)
        _use(viewer, widget, wishes.to)


@contextmanager
def _ready() -> Iterator[tuple[Any, Any]]:
    """Open a viewer with the panel, and wait for the engine."""
    from napari_medsynth import strokes

    with open_panel("Train on your own cases", SIZE) as (viewer, widget):
        strokes.wait_until("the engine's start", lambda: widget.capabilities is not None, PATIENCE)
        yield viewer, widget


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


def _order(widget: Any, wishes: Wishes, take: Callable[[str], None]) -> None:
    """Name the model, choose a base, and start."""
    from napari_medsynth import strokes

    settings = widget.panel.settings
    strokes.QTest.keyClicks(settings.name, NAME)
    strokes.QTest.keyClicks(settings.license, "CC BY 4.0")
    settings.base.setCurrentIndex(settings.base.findData(wishes.base))
    settings.steps.setValue(wishes.steps)
    settings.batch.setValue(wishes.batch)
    for line in settings.labels.values():
        strokes.QTest.keyClicks(line, "polyp")
        line.editingFinished.emit()
    strokes.settle(600)
    _wait(widget, "a button to click", widget.panel.button.isEnabled)
    take("ready")
    strokes.click(widget.panel.button)


def _follow(widget: Any, steps: int, take: Callable[[str], None]) -> None:
    """Watch the training, and let it rest once."""
    from napari_medsynth import strokes

    watch, view = widget.follow.watch, widget.panel.view

    def there(step: int) -> bool:
        return bool(watch.training) and watch.training.step >= step

    _wait(widget, "its first step", lambda: there(1))
    take("begun")
    _wait(widget, "half of the training", lambda: there(steps // 2))
    strokes.settle(2500)
    take("running")
    strokes.click(view.pause)
    _wait(widget, "the rest", lambda: watch.training.state.value == "paused")
    take("paused")
    strokes.click(view.resume)
    _wait(widget, "a step more", lambda: there(steps // 2 + 2) and view.pause.isVisible())


def _step_without_a_viewer() -> int:
    """Return how far the training is, once it has come further while no viewer was open."""
    from medsynth_core.client import connect
    from medsynth_core.training_client import Trainings

    with connect(start=False) as engine:
        trainings = Trainings(engine)
        (before,) = trainings.list()
        while (now := trainings.get(before.id)).step <= before.step and not now.state.ended:
            time.sleep(0.5)
    print(f"without a viewer: from step {before.step} to {now.step}", flush=True)  # noqa: T201
    return now.step


def _find_again(widget: Any, seen: int, take: Callable[[str], None]) -> None:
    """See the training go on in another viewer, and end."""
    from napari_medsynth import strokes

    watch, view = widget.follow.watch, widget.panel.view
    _wait(widget, "the training found again", lambda: bool(watch.training) and watch.training.step >= seen)
    strokes.settle(2500)
    take("reopened")
    _wait(widget, "the model", view.use.isVisible)
    strokes.settle(2500)
    take("done")


def _use(viewer: Any, widget: Any, folder: Path) -> None:
    """Open Synthesize by the link, paint a polyp with the mouse, and make an image of it."""
    from napari_medsynth import panels, strokes
    from napari_medsynth.samples import SAMPLES

    sample = next(one for one in SAMPLES if one.model == "polyp")
    viewer.add_image(sample.image(), name=sample.title)
    viewer.reset_view()
    strokes.click(widget.panel.view.use)
    other = panels.open_panel(viewer, "synthesize")
    strokes.wait_until("the new model", lambda: other.model_id == MODEL_ID, PATIENCE)
    strokes.click(other.panel.mask_row.new)
    mask = other.desk.mask
    mask.brush_size = BIG_BRUSH
    strokes.drag(viewer, strokes.find_canvas(other), strokes.spiral((150.0, 200.0), (38.0, 50.0), points=160), pause_ms=8)
    strokes.wait_until("a button to click", other.panel.button.isEnabled, PATIENCE)
    other.panel.model.showPopup()
    _take(viewer, other.panel.model.view(), folder, "list")
    other.panel.model.hidePopup()
    strokes.click(other.panel.button)
    strokes.wait_until("the image", lambda: other.panel.button.mode.value == "ready", PATIENCE)
    mask.contour = 2  # the outline alone, so that what is under it is seen
    _take(viewer, other.window(), folder, "used")


def _wait(widget: Any, what: str, holds: Callable[[], bool]) -> None:
    from medsynth_core.errors import JobError
    from napari_medsynth import strokes

    began = time.monotonic()

    def so() -> bool:
        if text := widget.panel.message.text or widget.panel.view.trouble.text():
            raise JobError(text)
        return holds()

    strokes.wait_until(what, so, PATIENCE)
    print(f"{what}: {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201


def _taker(viewer: Any, widget: Any, folder: Path) -> Callable[[str], None]:
    return lambda stage: _take(viewer, widget, folder, stage)


def _take(viewer: Any, shown: Any, folder: Path, stage: str) -> None:
    """Write pictures of a widget in both themes; of docs/train.md alone where no other folder is meant."""
    from napari_medsynth import demo, strokes

    for theme in THEMES:
        if folder != IMAGES or f"{stage}-{theme}" in KEPT:
            viewer.theme = theme
            strokes.settle(700)
            demo.save_picture(shown, folder / f"train-{stage}-{theme}.png")
    viewer.theme = THEMES[-1]


if __name__ == "__main__":
    main()
