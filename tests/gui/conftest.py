"""A real viewer for each test, with settings of its own, a hand to paint with, and a look at what is left behind."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def _take_a_screen_of_its_own() -> None:
    """Of several test processes, each has its own virtual screen: on one screen their windows take each other's keyboard."""
    if os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0" or shutil.which("Xvfb") is None:
        return
    told, tell = os.pipe()
    command = ["Xvfb", "-displayfd", str(tell), "-screen", "0", "1600x1200x24"]
    screen = subprocess.Popen(command, pass_fds=(tell,), stderr=subprocess.DEVNULL)
    os.environ["DISPLAY"] = f":{os.read(told, 16).decode().strip()}"
    atexit.register(screen.terminate)


_take_a_screen_of_its_own()
_HOME = Path(tempfile.mkdtemp(prefix="medsynth-gui-"))
os.environ["NAPARI_CONFIG"] = str(_HOME / "napari.yaml")  # before napari is imported: the user's settings are never read

import napari  # noqa: E402
import napari.qt  # noqa: E402
from qtpy.QtCore import QEvent, QObject, Qt  # noqa: E402
from qtpy.QtWidgets import QApplication, QWidget  # noqa: E402  after the environment is set

from napari_medsynth import strokes  # noqa: E402
from napari_medsynth.nuclei_widget import NucleiWidget  # noqa: E402
from napari_medsynth.primary_button import Mode  # noqa: E402
from napari_medsynth.refine_widget import RefineWidget  # noqa: E402
from napari_medsynth.synthesize_widget import SynthesizeWidget  # noqa: E402
from napari_medsynth.train_widget import TrainWidget  # noqa: E402
from napari_medsynth.tumor_widget import TumorWidget  # noqa: E402
from tests.gui.growing import GrowingClient, Growth  # noqa: E402
from tests.gui.sowing import Sowing, SowingClient  # noqa: E402
from tests.gui.teaching import Lesson, TeachingClient  # noqa: E402
from tests.scripted import Script, ScriptedClient  # noqa: E402

SHAPE = (64, 64)


class Dropped(QObject):
    """Drops every move of the mouse over the canvas, as vispy does with those that come within 10 ms of another."""

    def eventFilter(self, watched: Any, event: Any) -> bool:
        return bool(event.type() == QEvent.Type.MouseMove)


class Desk:
    """A viewer with the panel in it, and what a person does with them."""

    def __init__(self, viewer: napari.Viewer, widget: Any, dock: Any) -> None:
        self.viewer, self.widget, self.panel, self.dock = viewer, widget, widget.panel, dock

    def focus(self) -> None:
        """Give the viewer's window and its canvas the keyboard, as a click into it does."""
        window = self.widget.window()
        window.activateWindow()
        self.wait("an active window", window.isActiveWindow)
        strokes.find_canvas(self.widget).setFocus()

    def wait(self, what: str, holds: Callable[[], bool], seconds: float = 15) -> None:
        """Let the viewer live until something holds."""
        strokes.wait_until(what, holds, seconds)

    def place(self, at: tuple[float, float]) -> Any:
        """Return the canvas and the point of it that shows a world place (y, x)."""
        canvas = strokes.find_canvas(self.widget)
        return canvas, strokes.on_canvas(self.viewer, canvas, at)

    def click_at(self, at: tuple[float, float], shift: bool = False) -> None:
        """Click a world place (y, x) on the canvas."""
        canvas, point = self.place(at)
        keys = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
        strokes.QTest.mouseMove(canvas, point)
        strokes.QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, keys, point)
        QApplication.processEvents()

    def drag_unseen(self, *places: tuple[float, float]) -> None:
        """Drag while the viewer is so busy that no move comes through: a press at the first place, a release at the last."""
        canvas, dropped = strokes.find_canvas(self.widget), Dropped()
        canvas.installEventFilter(dropped)
        strokes.drag(self.viewer, canvas, places)
        canvas.removeEventFilter(dropped)

    def key(self, key: Qt.Key, control: bool = False) -> None:
        """Press a key over the canvas."""
        keys = Qt.KeyboardModifier.ControlModifier if control else Qt.KeyboardModifier.NoModifier
        strokes.QTest.keyClick(strokes.find_canvas(self.widget), key, keys)
        QApplication.processEvents()

    def click_run(self) -> None:
        """Click the button once it can be clicked, and wait until the run has ended."""
        self.click_synthesize()
        self.wait_idle()

    def click_synthesize(self) -> None:
        """Click the button once it can be clicked."""
        self.wait("an enabled button", self.panel.button.isEnabled)
        strokes.click(self.panel.button)

    def wait_idle(self, seconds: float = 30) -> None:
        """Wait until the run has ended."""
        self.wait("the end of the run", lambda: self.panel.button.mode is Mode.READY, seconds)

    def results(self) -> list[Any]:
        """Return the synthetic layers, lowest first."""
        return [layer for layer in self.viewer.layers if layer.name.startswith("[Synthetic]")]

    def paint(self, center: tuple[float, float] = (32, 32), radii: tuple[float, float] = (10, 12), points: int = 64) -> None:
        """Paint an ellipse on the active layer with the mouse."""
        strokes.drag(self.viewer, strokes.find_canvas(self.widget), strokes.spiral(center, radii, points=points))


@pytest.fixture(autouse=True, scope="session")
def _icons(qapp: QApplication) -> None:
    """Let napari prepare the application as it does outside of tests: its icons are missing otherwise."""
    napari.qt.get_qapp()


@pytest.fixture(autouse=True)
def _nothing_left_behind(qapp: QApplication) -> Iterator[None]:
    """After the viewer is closed no thread and no window of ours is left."""
    before = set(map(id, QApplication.topLevelWidgets()))
    yield
    deadline = time.monotonic() + 8
    while time.monotonic() < deadline and (_threads() or _panels(before)):
        QApplication.sendPostedEvents(None, 52)  # QEvent.DeferredDelete
        QApplication.processEvents()
        gc.collect()
        time.sleep(0.02)
    assert not _threads(), "threads of ours are left"
    assert not _panels(before), "windows of ours are left"


def _threads() -> list[str]:
    """Return our threads; the lease of a client that a test made is the test's."""
    return [t.name for t in threading.enumerate() if t.name.startswith("medsynth-") and t.name != "medsynth-reaper"]


def _panels(before: set[int]) -> list[QWidget]:
    return [w for w in QApplication.topLevelWidgets() if id(w) not in before and type(w).__module__.startswith("napari_medsynth")]


@pytest.fixture
def script() -> Script:
    """What the service answers in this test."""
    return Script()


@pytest.fixture
def open_desk(make_napari_viewer_proxy: Callable[..., Any], script: Script) -> Callable[..., Desk]:
    """Open viewers with the panel; by default on the script, with `real=True` on the real service and the fake engine."""

    def make(image: np.ndarray | None = None, mask: np.ndarray | None = None, real: bool = False, **mask_options: Any) -> Desk:
        viewer = make_napari_viewer_proxy(show=True)
        viewer.window.resize(1200, 800)
        if image is not None:
            viewer.add_image(image, name="picture")
        if mask is not None:
            viewer.add_labels(mask, name="lesion", **mask_options)
        widget = (
            SynthesizeWidget(viewer, engine="fake") if real else SynthesizeWidget(viewer, connect=lambda: ScriptedClient(script))
        )
        dock = viewer.window.add_dock_widget(widget, name="Synthesize", area="right")
        desk = Desk(viewer, widget, dock)
        desk.wait("the engine's answer", lambda: desk.widget.model.capabilities is not None)
        viewer.reset_view()
        return desk

    return make


@pytest.fixture
def open_refine(make_napari_viewer_proxy: Callable[..., Any], script: Script) -> Callable[..., Desk]:
    """Open a viewer with an image, a mask on it and the Refine panel, by default on the script."""

    def make(mask: np.ndarray | None = None, image: np.ndarray | None = None, real: bool = False, **options: Any) -> Desk:
        viewer = make_napari_viewer_proxy(show=True)
        viewer.window.resize(1200, 800)
        shape = SHAPE if mask is None else mask.shape
        viewer.add_image(
            np.random.default_rng(0).integers(0, 255, shape, np.uint8) if image is None else image, name="picture", **options
        )
        if mask is not None:
            viewer.add_labels(mask, name="lesion", **options)
        widget = RefineWidget(viewer) if real else RefineWidget(viewer, connect=lambda: ScriptedClient(script))
        desk = Desk(viewer, widget, viewer.window.add_dock_widget(widget, name="Refine", area="right"))
        desk.wait("the engine's answer", lambda: bool(desk.widget.model_id), 60)
        viewer.reset_view()
        return desk

    return make


def two_changes(mask: np.ndarray) -> np.ndarray:
    """Add a square of 16 pixels at (4, 4) and one at (40, 40) of each painted slice; remove one row of the painted square."""
    refined = mask.copy()
    for z in np.flatnonzero(mask.any(axis=(1, 2))):
        refined[z, 4:8, 4:8] = 1
        refined[z, 40:44, 40:44] = 1
        refined[z, SHAPE[0] // 3] = 0
    return refined


@pytest.fixture
def refining(open_refine: Callable[..., Desk], script: Script) -> Callable[..., Desk]:
    """Open Refine on a painted mask and click the button; the result has two added changes and a removed one."""

    def make(mask: np.ndarray | None = None, **options: Any) -> Desk:
        script.refines = two_changes
        desk = open_refine(mask=painted_mask() if mask is None else mask, **options)
        desk.click_run()
        return desk

    return make


@pytest.fixture
def growth() -> Growth:
    """What the service grows in this test."""
    return Growth()


@pytest.fixture
def open_tumor(make_napari_viewer_proxy: Callable[..., Any], growth: Growth) -> Callable[..., Desk]:
    """Open a viewer with *Grow a tumor volume*, by default on the script of `growth`."""

    def make(background: np.ndarray | None = None, real: bool = False, **options: Any) -> Desk:
        viewer = make_napari_viewer_proxy(show=True)
        viewer.window.resize(1200, 800)
        if background is not None:
            viewer.add_image(background, name="patient", **options)
        widget = TumorWidget(viewer) if real else TumorWidget(viewer, connect=lambda: GrowingClient(growth))
        desk = Desk(viewer, widget, viewer.window.add_dock_widget(widget, name="Grow", area="right"))
        desk.wait("the engine's answer", lambda: desk.widget.model.capabilities is not None, 60)
        return desk

    return make


@pytest.fixture
def sowing() -> Sowing:
    """What nuclei the service sows in this test."""
    return Sowing()


@pytest.fixture
def open_nuclei(make_napari_viewer_proxy: Callable[..., Any], sowing: Sowing) -> Callable[..., Desk]:
    """Open a viewer with *Nuclei + histology*, by default on the script of `sowing`."""

    def make(image: np.ndarray | None = None, nuclei: np.ndarray | None = None, real: bool = False, **options: Any) -> Desk:
        viewer = make_napari_viewer_proxy(show=True)
        viewer.window.resize(1200, 900)
        if image is not None:
            viewer.add_image(image, name="slide", rgb=True, **options)
        if nuclei is not None:
            viewer.add_labels(nuclei, name="nuclei", **options)
        widget = NucleiWidget(viewer) if real else NucleiWidget(viewer, connect=lambda: SowingClient(sowing))
        desk = Desk(viewer, widget, viewer.window.add_dock_widget(widget, name="Nuclei + histology", area="right"))
        desk.wait("the engine's answer", lambda: widget.model.capabilities is not None, 60)
        viewer.reset_view()
        return desk

    return make


@pytest.fixture
def lesson() -> Lesson:
    """What the service examines and trains in this test."""
    return Lesson()


@pytest.fixture
def open_train(make_napari_viewer_proxy: Callable[..., Any], lesson: Lesson) -> Callable[..., Desk]:
    """Open a viewer with *Train on your own cases*, by default on the script of `lesson`."""

    def make(real: bool = False) -> Desk:
        viewer = make_napari_viewer_proxy(show=True)
        viewer.window.resize(1200, 900)
        widget = TrainWidget(viewer) if real else TrainWidget(viewer, connect=lambda: TeachingClient(lesson))
        desk = Desk(viewer, widget, viewer.window.add_dock_widget(widget, name="Train on your own cases", area="right"))
        desk.wait("the engine's answer", lambda: widget.capabilities is not None, 120)
        desk.wait("the list of trainings", lambda: widget.follow.watch.known, 30)
        return desk

    return make


def painted_mask(shape: tuple[int, ...] = SHAPE, value: int = 1) -> np.ndarray:
    """Return a mask with a square in its middle."""
    mask = np.zeros(shape, np.uint8)
    mask[..., shape[-2] // 3 : shape[-2] // 2, shape[-1] // 3 : shape[-1] // 2] = value
    return mask
