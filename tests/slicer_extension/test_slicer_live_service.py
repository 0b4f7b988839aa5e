"""Live mode in the whole panel, against a real service: a stroke becomes an image, and the main thread stays free."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer
from MedSynthLib import conversion
from MedSynthLib.primary_button import Mode
from MedSynthLib.segments import new_segmentation

from medsynth_core.engines.fake import slice_pixels
from medsynth_core.protocol import LabelInfo
from tests.slicer_extension.main_thread import MainThread
from tests.slicer_extension.painting import paint
from tests.slicer_extension.test_slicer_conversion import oblique, volume_node

SIZE = 16
WAIT_S = 60


@pytest.fixture
def painting(panel: Any, widget: Any) -> Any:
    """The panel on the fake engine, with an empty segment on a volume of one slice; live mode is on."""
    grid = volume_node(oblique(), np.zeros((1, SIZE, SIZE), np.uint8))
    settings = widget.logic.settings()
    settings.image, settings.seed = grid, 5
    settings.mask = new_segmentation(grid, (LabelInfo(1, "tumor", "#f28e2b"),), "lesion")
    panel._ui.tabs.setCurrentIndex(list(panel.pages).index("fake"))
    panel.pages["fake"].form.set_values({"slices": 1, "size": SIZE})
    panel.check()
    panel._ui.liveBox.setChecked(True)
    return settings


def test_each_stroke_becomes_an_image_in_one_node(panel: Any, painting: Any) -> None:
    main = MainThread()
    main.until(lambda: panel._ui.liveLabel.text.startswith("final"), WAIT_S)
    (node,) = panel.live.preview.nodes().values()
    assert np.array_equal(slicer.util.arrayFromVolume(node)[0], slice_pixels(5, 0, SIZE)[0])
    assert node.GetName() == "[Synthetic] lesion live"
    jobs = len(list(panel.session._connected().jobs()))
    paint(painting.mask, painting.image)
    main.until(lambda: panel._ui.liveLabel.text.startswith("draft"), WAIT_S)
    main.until(lambda: panel._ui.liveLabel.text.startswith("final"), WAIT_S)
    assert list(panel.live.preview.nodes().values()) == [node]
    assert len(list(panel.session._connected().jobs())) == jobs + 2
    assert panel.button.mode is Mode.READY
    assert sorted(main.work_s)[-3] < 0.05  # the first drawing of a node may take its time


def test_the_editor_is_on_the_chosen_segments_and_the_button_still_works(panel: Any, painting: Any) -> None:
    assert panel._ui.segmentEditor.segmentation is painting.mask
    assert panel._ui.segmentEditor.source is painting.image
    main = MainThread()
    main.until(lambda: panel._ui.liveLabel.text.startswith("final"), WAIT_S)
    panel.start()
    main.until(lambda: panel.button.mode is Mode.READY, WAIT_S)
    assert panel.growing is not None
    assert panel.growing.nodes()["image"] is not next(iter(panel.live.preview.nodes().values()))


def test_closing_the_scene_while_live_runs_leaves_no_word_in_the_log(
    panel: Any, painting: Any, caplog: pytest.LogCaptureFixture
) -> None:
    panel.pages["fake"].form.set_values({"delay_ms": 300.0})
    panel.check()
    assert conversion.fingerprint(painting.mask) is not None
    slicer.mrmlScene.Clear(0)
    MainThread().rest(1.0)
    assert "hoose a volume" in panel._ui.liveLabel.text
    assert panel.live.preview.nodes() == {}
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]
