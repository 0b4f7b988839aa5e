"""The list of jobs in napari: jobs of other programs with their progress, opened by mouse as layers where they lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QMenu

from medsynth_core import job_words
from medsynth_core.client import Client, connect
from medsynth_core.engines.fake import slice_pixels
from medsynth_core.errors import ShapeError
from medsynth_core.job_results import Fetched
from medsynth_core.protocol import JobInfo, JobRequest, JobState, LabelInfo, OutputInfo
from medsynth_core.volume import Volume
from napari_medsynth import job_layers, strokes
from napari_medsynth.jobs_list import JobsList
from napari_medsynth.jobs_widget import JobsWidget
from tests.gui.conftest import Desk, painted_mask
from tests.running import RunningService

pytestmark = [
    pytest.mark.gui,
    pytest.mark.filterwarnings("ignore:Non-orthogonal slicing"),  # what napari says of every oblique volume
]
PLACE = np.array([(-0.9, 0, 0.3, 40.0), (0, 1.1, 0.2, -7.0), (0.1, 0, 3.0, 5.0), (0, 0, 0, 1.0)])
"""Oblique, anisotropic, left-handed."""
TUMOR = (LabelInfo(0, "background", "#000000"), LabelInfo(1, "tumor", "#f28e2b"))


@pytest.fixture
def opened(make_napari_viewer_proxy: Callable[..., Any], service: RunningService) -> tuple[Any, JobsWidget]:
    """A viewer with the list, on a real service."""
    viewer = make_napari_viewer_proxy(show=True)
    viewer.window.resize(1200, 800)
    widget = JobsWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Jobs", area="right")
    strokes.wait_until("the engine's answer", lambda: widget.session.status is not None, 30)
    return viewer, widget


@pytest.fixture
def slicer(service: RunningService, home: Path) -> Iterator[Client]:
    """Another program of the same user."""
    with connect(home, start=False, name="slicer") as client:
        yield client


def click(listed: JobsList, row: int, twice: bool = False) -> None:
    """Click a job with the mouse, or double-click it."""
    item, port = listed.table.item(row, 0), listed.table.viewport()
    assert item is not None
    assert port is not None
    at: QPoint = listed.table.visualItemRect(item).center()
    strokes.QTest.mouseClick(port, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
    if twice:
        strokes.QTest.mouseDClick(port, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)


def wait_for_state(listed: JobsList, row: int, fits: Callable[[str], bool]) -> str:
    """Wait until the state of a row is as told, and return it."""
    strokes.wait_until("the state", lambda: len(listed.texts()) > row and fits(listed.texts()[row][1]), 30)
    return listed.texts()[row][1]


def info(name: str = "a", state: JobState = JobState.DONE, **facts: Any) -> JobInfo:
    return JobInfo(name, state, JobRequest("tumor", "lgg-flair", {}, 7, {}, "slicer"), 0.0, **facts)


def fetched(labels: tuple[LabelInfo, ...] = (), place: np.ndarray = PLACE, **arrays: np.ndarray) -> Fetched:
    """The outputs of a job, by name."""
    affine = tuple(map(tuple, place.tolist()))
    outputs = tuple(
        OutputInfo(name, "labels" if name in ("mask", "instances") else "image", array.shape, str(array.dtype), affine)
        for name, array in arrays.items()
    )
    return Fetched(outputs, {name: Volume(array, place) for name, array in arrays.items()}, labels)


def test_a_job_of_another_program_is_listed_with_its_progress_and_opens_by_mouse(
    opened: tuple[Any, JobsWidget], slicer: Client, tmp_path: Path
) -> None:
    viewer, widget = opened
    job = slicer.submit("fake", seed=3, slices=30, size=16, delay_ms=40.0, mask=Volume(np.ones((1, 1, 16, 16), np.uint8), PLACE))
    state = wait_for_state(widget.jobs, 0, lambda text: text.startswith("running ") and not text.startswith("running 0/"))
    assert state.endswith("/30")
    assert widget.jobs.texts()[0][::2] == ("fake", "slicer")
    click(widget.jobs, 0)
    assert not widget.jobs.open.isEnabled()
    assert "running" in widget.jobs.open.toolTip()
    job.wait()
    wait_for_state(widget.jobs, 0, lambda text: text == "done")
    strokes.wait_until("an enabled button", widget.jobs.open.isEnabled, 5)
    click(widget.jobs, 0, twice=True)
    strokes.wait_until("the layer", lambda: len(viewer.layers) == 1, 20)
    (layer,) = viewer.layers
    assert layer.name == "[Synthetic] fake"
    assert all(np.array_equal(layer.data[z], slice_pixels(3, z, 16)[0]) for z in range(30))
    for z, y, x in ((0, 0, 0), (29, 15, 15), (7, 3, 11)):
        assert np.allclose(layer.data_to_world((z, y, x)), (PLACE @ (x, y, z, 1))[2::-1], atol=1e-3)
    assert (layer.metadata["medsynth"]["job"], layer.metadata["medsynth"]["seed"]) == (job.id, 3)
    assert layer.metadata["medsynth"]["synthetic"] is True
    strokes.settle()
    assert viewer.window.screenshot(str(tmp_path / "jobs.png"), flash=False, canvas_only=False).std() > 10


def test_what_was_chosen_stays_chosen_while_other_jobs_come(qtbot: Any) -> None:
    listed = JobsList(clock=lambda: 600.0)
    qtbot.addWidget(listed)
    listed.resize(320, 300)
    listed.show()
    asked: list[JobInfo] = []
    listed.open_wanted.connect(asked.append)
    listed.show_jobs((info("a"), info("b", JobState.RUNNING, done=4, total=9)))
    click(listed, 1, twice=True)
    assert not asked
    listed.show_jobs((info("c"), info("a"), info("b", starred=True)))
    assert listed.chosen is not None
    assert listed.chosen.id == "b"
    assert {index.row() for index in listed.table.selectedIndexes()} == {2}
    assert listed.texts()[2] == ("★ tumor · lgg-flair", "done", "slicer", "10 min")
    strokes.click(listed.open)
    assert [job.id for job in asked] == ["b"]
    listed.show_jobs((info("c"),))
    assert listed.chosen is None
    assert not listed.open.isEnabled()
    assert listed.open.toolTip() == "Click a job first"


def test_a_job_is_looked_for_by_typing(qtbot: Any) -> None:
    listed = JobsList()
    qtbot.addWidget(listed)
    listed.show()
    listed.show_jobs((info("a"), info("b", JobState.RUNNING)))
    click(listed, 1)
    strokes.QTest.keyClicks(listed.search, "TUMOR slicer done")
    assert [row[1] for row in listed.texts()] == ["done"]
    assert not listed.open.isEnabled()
    listed.show_jobs((info("c", JobState.FAILED), info("a"), info("b")))
    assert [row[1] for row in listed.texts()] == ["done", "done"]
    assert {index.row() for index in listed.table.selectedIndexes()} == {1}  # what was clicked before is found again
    assert listed.open.isEnabled()


@pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.DONE])
def test_a_job_without_a_result_says_why_it_does_not_open(qtbot: Any, state: JobState) -> None:
    listed = JobsList()
    qtbot.addWidget(listed)
    listed.show()
    listed.show_jobs((info("a", state),))
    click(listed, 0)
    assert not listed.open.isEnabled()
    assert str(state) in listed.open.toolTip()


def test_masks_become_labels_colors_stay_colors_and_uncertainty_waits_to_be_shown(make_napari_viewer_proxy: Any) -> None:
    viewer = make_napari_viewer_proxy()
    color = np.random.default_rng(0).integers(0, 255, (3, 2, 8, 8), np.uint8)
    numbers = np.arange(128, dtype=np.uint16).reshape(1, 2, 8, 8) * 9
    mask = (numbers > 300).astype(np.uint8)
    job = info(recipe={"synthetic": True})
    image, instances = job_layers.show(viewer, job, fetched(image=color, instances=numbers))
    assert isinstance(image, Image)
    assert image.rgb
    assert np.array_equal(image.data, np.moveaxis(color, 0, -1))
    assert isinstance(instances, Labels)
    assert np.array_equal(instances.data, numbers[0])
    assert [layer.name for layer in (image, instances)] == [
        "[Synthetic] tumor · lgg-flair",
        "[Synthetic] tumor · lgg-flair instances",
    ]
    refined, doubt = job_layers.show(viewer, info(), fetched(TUMOR, mask=mask, uncertainty=mask * 200))
    assert refined.name == "tumor · lgg-flair mask"
    assert np.allclose(refined.get_color(1)[:3], np.array([0xF2, 0x8E, 0x2B]) / 255, atol=0.01)
    assert not doubt.visible
    assert np.allclose(doubt.data_to_world((1, 2, 3)), image.data_to_world((1, 2, 3)))


def test_a_result_of_another_number_of_channels_is_refused(make_napari_viewer_proxy: Any) -> None:
    viewer = make_napari_viewer_proxy()
    with pytest.raises(ShapeError, match="4 channels"):
        job_layers.show(viewer, info(), fetched(image=np.zeros((4, 1, 8, 8), np.uint8)))
    assert not viewer.layers


def test_the_view_goes_to_a_result_elsewhere_and_stays_for_one_among_the_layers(make_napari_viewer_proxy: Any) -> None:
    viewer = make_napari_viewer_proxy(show=True)
    viewer.add_image(np.zeros((8, 40, 40), np.uint8), translate=(0, 4000, 4000))
    viewer.camera.zoom = 3.0
    cube = fetched(place=np.diag([1.0, 1.0, 2.0, 1.0]), image=np.ones((1, 8, 40, 40), np.uint8))
    job_layers.show(viewer, info(), cube)
    assert viewer.camera.zoom < 1
    viewer.camera.zoom = 3.0
    (layer,) = job_layers.show(viewer, info("b"), cube)
    assert viewer.camera.zoom == 3.0
    assert np.allclose(viewer.dims.point, layer.extent.world.mean(axis=0), atol=1.01)


def test_a_long_cause_of_a_failure_leaves_the_other_columns_their_room(qtbot: Any, tmp_path: Path) -> None:
    listed = JobsList(clock=lambda: 600.0)
    qtbot.addWidget(listed)
    listed.resize(320, 200)
    listed.show()
    cause = "The engine ran out of memory at slice 41: choose a smaller size, or free memory, and run the job once more"
    listed.show_jobs((info("a", JobState.FAILED, error=cause), info("b", JobState.RUNNING, done=41, total=96)))
    assert listed.grab().save(str(tmp_path / "narrow.png"))
    assert not listed.table.horizontalScrollBar().isVisible()
    assert min(listed.table.columnWidth(column) for column in range(4)) > 30
    item = listed.table.item(0, 1)
    assert item is not None
    assert item.toolTip() == f"failed: {cause}"


def test_a_job_that_was_forgotten_meanwhile_is_said(opened: tuple[Any, JobsWidget], slicer: Client) -> None:
    viewer, widget = opened
    job = slicer.submit("fake", slices=2, size=8)
    job.wait()
    wait_for_state(widget.jobs, 0, lambda text: text == "done")
    gone = slicer.job(job.id).info()
    slicer.forget(job.id)
    widget.open_job(gone)
    strokes.wait_until("the message", lambda: bool(widget.message.text), 20)
    assert not viewer.layers


def test_the_list_leaves_an_engine_that_was_stopped_alone(opened: tuple[Any, JobsWidget], home: Path) -> None:
    _, widget = opened
    widget.pill.stop_wanted.emit()
    strokes.wait_until("the end of the service", lambda: not (home / "connection.json").exists(), 20)
    strokes.wait_until("the stop", lambda: widget.session.status is None and not widget.pill.view.running, 10)
    for _ in range(3):
        widget._timer.timeout.emit()
        strokes.settle(150)
    assert not (home / "connection.json").exists()
    assert widget.message.text == ""


def test_the_engine_s_menu_of_every_panel_opens_the_list_once(
    open_desk: Callable[..., Desk], service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = open_desk(mask=painted_mask())
    menu = desk.panel.pill.menu()
    assert isinstance(menu, QMenu)
    (entry,) = [action for action in menu.actions() if action.text() == "Jobs of all programs"]
    for _ in range(2):
        entry.trigger()
        strokes.settle(100)
    window = desk.widget.window()
    (listed,) = window.findChildren(JobsWidget)
    strokes.wait_until("the engine's answer", lambda: listed.session.status is not None, 30)
    assert tuple(listed.jobs.table.horizontalHeaderItem(n).text() for n in range(4)) == job_words.COLUMNS
    assert "Jobs of all programs" not in [action.text() for action in listed.pill.menu().actions()]
