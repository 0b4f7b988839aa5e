"""Makes the pictures of *Make a data set* in docs/images: the real viewer, service and polyp model, in both themes.

    sh scripts/with_display.sh .venv/bin/python docs/make_dataset_screenshots.py [FOLDER]

State and data set go to a temporary folder. The picture is taken in the middle of it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from new_user import new_user, open_panel

IMAGES = Path(__file__).parent / "images"
SIZE = (1180, 900)
WANTED = 24


def main() -> None:
    """Make a small data set, and take the pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, new_user():
        take_pictures(Path(scratch) / "my polyps", folder)


def take_pictures(out: Path, folder: Path) -> None:
    """Fill the form with the mouse and watch the samples come."""
    from qtpy.QtCore import Qt

    from napari_medsynth import strokes
    from napari_medsynth.primary_button import Mode
    from napari_medsynth.samples import SAMPLES

    with open_panel("Make a data set", SIZE) as (viewer, widget):
        sample = next(one for one in SAMPLES if one.model == "polyp")
        viewer.add_image(sample.image(), name=sample.title)
        viewer.add_labels(sample.mask(), name="mask")
        panel = widget.panel
        strokes.wait_until("models", lambda: panel.model.count() > 2, 120)
        panel.model.setCurrentIndex(panel.model.findText("Colonoscopy frame with polyp"))
        panel.count.setValue(WANTED)
        strokes.click(panel.layouts.boxes["nnunet"])
        strokes.QTest.keyClicks(panel.output.path, str(out))
        strokes.QTest.keyClick(panel.output.path, Qt.Key.Key_Return)
        strokes.wait_until("a button to click", panel.button.isEnabled, 60)
        strokes.click(panel.button)
        strokes.wait_until("some samples", lambda: "of" in panel.progress.line.text() and len(list(out.rglob("*.png"))) > 12, 600)
        for theme in ("light", "dark"):
            viewer.theme = theme
            strokes.settle(100)
            widget.grab().save(str(folder / f"dataset-{theme}.png"))
        strokes.wait_until("the end", lambda: panel.button.mode is Mode.READY, 600)


if __name__ == "__main__":
    main()
