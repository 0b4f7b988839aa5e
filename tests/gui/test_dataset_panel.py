"""*Make a data set* on the real service with the fake engine: mouse and keys, files that come, stop, going on."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QLineEdit

from medsynth_core.cli import build_parser
from medsynth_core.cli_dataset import wish_of
from medsynth_core.engines.fake import slice_pixels
from napari_medsynth import strokes
from napari_medsynth.dataset_panel import FOLDER, LAYER, SAMPLE
from napari_medsynth.dataset_widget import DatasetWidget
from napari_medsynth.primary_button import Mode
from tests.gui.conftest import Desk
from tests.gui.heartbeat import Heartbeat
from tests.running import RunningService

pytestmark = pytest.mark.gui
Open = Callable[..., Desk]
SIDE = 48


def lesion() -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[14:30, 10:28] = 1
    return mask


@pytest.fixture
def open_dataset(make_napari_viewer_proxy: Callable[..., Any], service: RunningService) -> Open:
    """Open a viewer with *Make a data set* for the fake engine, one slice of the mask's size a sample."""
    service.wait_ready()

    def make(mask: np.ndarray | None = None, delay_ms: float = 0.0) -> Desk:
        viewer = make_napari_viewer_proxy(show=True)
        viewer.window.resize(1200, 900)
        if mask is not None:
            viewer.add_labels(mask, name="lesion")
        widget = DatasetWidget(viewer, engines=("fake",))
        desk = Desk(viewer, widget, viewer.window.add_dock_widget(widget, name="Make a data set", area="right"))
        desk.wait("the engine's answer", lambda: bool(widget.desk.engine), 60)
        desk.panel.restore_params({"slices": 1, "size": SIDE, "delay_ms": delay_ms})
        return desk

    return make


def write(line: QLineEdit, text: str) -> None:
    """Put a text into a line with the keyboard, and confirm it."""
    line.selectAll()
    strokes.QTest.keyClicks(line, text)
    strokes.QTest.keyClick(line, Qt.Key.Key_Return)


def order(desk: Desk, out: Path, count: int = 4) -> None:
    desk.panel.count.setValue(count)
    write(desk.panel.output.path, str(out))


def pick(desk: Desk, source: str) -> None:
    strokes.click(desk.panel.source._buttons[source])


def images(out: Path) -> list[Path]:
    return sorted((out / "images").glob("*.png"))


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_painted_mask_becomes_a_data_set_with_a_click(open_dataset: Open, tmp_path: Path) -> None:
    desk = open_dataset(lesion())
    order(desk, tmp_path / "out")
    strokes.click(desk.panel.layouts.boxes["coco"])
    desk.click_run()
    assert desk.panel.message.text == "4 of 4 samples are there, with a manifest of how each was made."
    told = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [one["seed"] for one in told["samples"]] == [0, 1, 2, 3]
    made = np.asarray(Image.open(images(tmp_path / "out")[2]))
    np.testing.assert_array_equal(made, slice_pixels(2, 0, SIDE)[0])
    masks = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "out" / "masks").glob("*.png"))]
    assert len({mask.tobytes() for mask in masks}) == 4
    assert (tmp_path / "out" / "coco" / "annotations.json").is_file()
    assert not desk.results(), "the viewer is not filled with layers"


def test_the_command_shown_is_what_the_click_does(open_dataset: Open, tmp_path: Path) -> None:
    desk = open_dataset(lesion())
    order(desk, tmp_path / "a folder", 3)
    strokes.click(desk.panel.changes.boxes["turn"])
    desk.wait("the command", lambda: "--augment" in desk.panel.command.line.text())
    strokes.click(desk.panel.command.copy)
    words = shlex.split(QApplication.clipboard().text())
    args, args.rest = build_parser().parse_known_args(words[1:])
    wish = wish_of(args)
    assert wish == desk.widget.desk.wish()
    assert "turn" not in wish.changes
    desk.click_run()
    assert (wish.output / "given").is_dir()
    assert Path(wish.masks).is_file()
    np.testing.assert_array_equal(np.asarray(Image.open(wish.masks)), lesion())


def test_stopped_it_says_so_and_the_same_click_goes_on_to_the_same_bytes(open_dataset: Open, tmp_path: Path) -> None:
    desk = open_dataset(lesion(), delay_ms=40)
    order(desk, tmp_path / "whole", 12)
    desk.click_run()
    order(desk, tmp_path / "out", 12)
    desk.click_synthesize()
    desk.wait("some samples", lambda: len(images(tmp_path / "out")) >= 3)
    assert "of 12" in desk.panel.progress.line.text()
    strokes.click(desk.panel.button)
    desk.wait_idle()
    assert "goes on" in desk.panel.message.text
    assert len(images(tmp_path / "out")) < 12
    desk.click_run()
    assert "12 of 12" in desk.panel.message.text
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_a_closed_viewer_stops_it_and_the_next_one_remembers_and_goes_on(
    open_dataset: Open, tmp_path: Path, service: RunningService
) -> None:
    out, masks = tmp_path / "out", tmp_path / "masks"
    masks.mkdir()
    for number in range(2):
        Image.fromarray(np.roll(lesion(), 4 * number, axis=0)).save(masks / f"{number}.png")
    desk = open_dataset(delay_ms=60)
    pick(desk, FOLDER)
    write(desk.panel.masks.path, str(masks))
    order(desk, out, 20)
    desk.click_synthesize()
    desk.wait("some samples", lambda: len(images(out)) >= 2)
    desk.viewer.close()
    strokes.settle(1500)
    made = len(images(out))
    assert made < 20
    desk.wait("an idle service", lambda: service.status()["running"] + service.status()["queued"] == 0)
    other = open_dataset()
    assert (other.panel.output.path.text(), other.panel.count.value()) == (str(out), 20)
    other.panel.restore_params({"delay_ms": 60.0})
    other.click_run()
    assert "20 of 20" in other.panel.message.text
    told = json.loads((out / "manifest.json").read_text())
    assert [one["name"] for one in told["samples"]] == [f"{number:05d}" for number in range(20)]


def test_the_button_says_what_is_missing(open_dataset: Open, tmp_path: Path) -> None:
    desk = open_dataset()

    def blocked(reason: str) -> None:
        desk.wait(reason, lambda: reason in desk.panel.button.toolTip() and not desk.panel.button.isEnabled())

    blocked("Choose the folder that the data set goes to")
    write(desk.panel.output.path, str(tmp_path / "out"))
    blocked("Paint a mask first")
    assert not desk.panel.command.line.text()
    pick(desk, FOLDER)
    blocked("Choose the folder with your masks")
    pick(desk, SAMPLE)
    blocked("No masks ship for this model")
    desk.viewer.add_labels(lesion(), name="mine")
    pick(desk, LAYER)
    desk.wait("an enabled button", desk.panel.button.isEnabled)


def test_bad_masks_and_folders_are_told_by_name_and_nothing_hangs(open_dataset: Open, tmp_path: Path) -> None:
    desk = open_dataset(np.zeros((SIDE, SIDE), np.uint8))
    order(desk, tmp_path / "out")
    desk.click_run()
    assert "mask is empty" in desk.panel.message.text
    write(desk.panel.output.path, str(tmp_path / "no" / "where"))
    desk.viewer.layers[0].data = lesion()
    desk.click_run()
    assert "does not exist" in desk.panel.message.text
    assert desk.panel.button.mode is Mode.READY


def test_an_engine_that_fails_is_told_and_may_be_tried_again(open_dataset: Open, tmp_path: Path) -> None:
    desk = open_dataset(lesion())
    desk.panel.restore_params({"fault": "error", "fault_times": 1, "size": SIDE - 8})
    order(desk, tmp_path / "out", 2)
    desk.click_run()
    assert "failed" in desk.panel.message.text
    assert "Traceback" not in desk.panel.message.text
    assert desk.panel.message.fix.text() == "Try again"
    desk.panel.restore_params({"fault": "none", "size": SIDE})
    strokes.click(desk.panel.message.fix)
    desk.wait_idle()
    assert "2 of 2" in desk.panel.message.text


def test_the_viewer_lives_while_it_runs_and_the_form_is_locked(open_dataset: Open, tmp_path: Path) -> None:
    desk = open_dataset(lesion(), delay_ms=30)
    order(desk, tmp_path / "out", 15)
    beat = Heartbeat()
    beat.start()
    desk.click_synthesize()
    assert not desk.panel.output.isEnabled()
    desk.wait_idle()
    beat.stop()
    assert max(gap.computed for gap in beat.gaps) < 0.15
    assert desk.panel.output.isEnabled()


@pytest.mark.parametrize("name", ["dark", "light"])
def test_the_form_follows_the_theme(open_dataset: Open, tmp_path: Path, name: str) -> None:
    desk = open_dataset(lesion(), delay_ms=30)
    desk.viewer.theme = name
    order(desk, tmp_path / "out", 5)
    desk.click_synthesize()
    desk.wait("some samples", lambda: "of 5" in desk.panel.progress.line.text())
    picture = tmp_path / f"dataset-{name}.png"
    assert desk.widget.grab().save(str(picture))
    desk.wait_idle()
    assert np.asarray(Image.open(picture).convert("L")).std() > 8
