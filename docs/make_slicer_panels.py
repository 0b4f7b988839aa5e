"""Makes the pictures of the module's panel in docs/images: its real code, service and models, in the tests' stand-in for Slicer.

    make pictures-slicer

State goes to a temporary folder, so the pictures show what a new user sees. Slicer draws the same widgets in its own style.
"""

from __future__ import annotations

import argparse
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from new_user import new_user

from tests.slicer_extension import standin

standin.install()

import qt  # noqa: E402
import slicer  # noqa: E402
import slicer_stand_ins  # noqa: E402

from medsynth_core.errors import JobError  # noqa: E402
from medsynth_core.run_button import Mode  # noqa: E402
from tests.slicer_extension.main_thread import MainThread  # noqa: E402

IMAGES = Path(__file__).parent / "images"
MODULE = Path(__file__).parents[1] / "slicer_extension" / "MedSynth" / "MedSynth.py"
WIDTH = 420


def main() -> None:
    """Take the panel before there is an environment, then each of the four starter cards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", help="the interpreter that has napari-medsynth[service]")
    python = str(Path(parser.parse_args().python).absolute())
    slicer_stand_ins.install()
    slicer._qt_application.setStyle("Fusion")
    with new_user():
        with opened() as panel:
            MainThread().rest(3)
            save(panel, "environment")
        from MedSynthLib import environment

        from medsynth_core import places

        environment.choose(places.state_folder(), python)
        with opened() as panel:
            MainThread().until(lambda: panel.pages, 120)
            for take in (tumor, synthesize, nuclei, refine):
                take(panel)
                save(panel, take.__name__)
                finish(panel)


def synthesize(panel: Any) -> None:
    """Press the card, then the button, and wait for the image."""
    play(panel, "paintCard")


def nuclei(panel: Any) -> None:
    """Press the card, then the button, and wait for the image."""
    play(panel, "nucleiCard")


def refine(panel: Any) -> None:
    """Press the card, refine eight times over, and show where the result is unsure."""
    panel._ui.refineCard.click()
    panel.page.set_values({"samples": 8, "uncertainty": True})
    run(panel)
    panel._ui.doubtBox.setChecked(True)
    panel._ui.nextDoubtButton.click()
    MainThread().rest(1)


def tumor(panel: Any) -> None:
    """Press the card and the button, and look while the volume grows."""
    panel._ui.tumorCard.click()
    press(panel)
    arrived = lambda: panel.growing is not None and len(panel.growing.arrived.get("image", ())) >= 12  # noqa: E731
    MainThread().until(arrived, 120)


def play(panel: Any, card: str) -> None:
    """Press a card, then the button, and wait until all is there."""
    getattr(panel._ui, card).click()
    run(panel)


def run(panel: Any) -> None:
    """Press the button and wait for the end."""
    press(panel)
    finish(panel)


def press(panel: Any) -> None:
    """Press the button, which a starter card leaves ready to be pressed."""
    MainThread().rest(1)
    if not panel._ui.runButton.enabled:
        raise JobError(f"the button cannot be pressed: {panel._ui.runButton.toolTip}")
    panel._ui.runButton.click()


def finish(panel: Any) -> None:
    """Wait until nothing runs and the list of jobs has seen it."""
    MainThread().until(lambda: panel.button.mode is Mode.READY, 300)
    MainThread().rest(1.5)


def save(panel: Any, name: str) -> None:
    """Write what the panel shows, as high as it wants to be."""
    page = panel._ui.runButton.window()
    page.adjustSize()
    page.resize(WIDTH, page.sizeHint().height())
    MainThread().rest(0.5)
    page.resize(WIDTH, page.layout().heightForWidth(WIDTH) if page.layout().hasHeightForWidth() else page.sizeHint().height())
    MainThread().rest(0.5)
    if not page.grab().save(str(IMAGES / f"slicer-panel-{name}.png")):
        raise OSError(f"slicer-panel-{name}.png cannot be written")


@contextmanager
def opened() -> Iterator[Any]:
    """Give the panel of the module as Slicer opens it."""
    import MedSynth

    slicer.modules.medsynth = types.SimpleNamespace(path=str(MODULE))
    parent = qt.QWidget()
    qt.QVBoxLayout(parent).setContentsMargins(6, 6, 6, 6)
    widget = MedSynth.MedSynthWidget(parent)
    widget.setup()
    parent.resize(WIDTH, 900)
    parent.show()
    try:
        yield widget.panel
    finally:
        widget.cleanup()
        parent.deleteLater()


if __name__ == "__main__":
    main()
