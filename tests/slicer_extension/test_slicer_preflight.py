"""The chips over the button in Slicer: what is chosen and painted is judged before a run, and a Fix does what it says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import qt
import slicer
from MedSynthLib import checks, conversion, inputs
from MedSynthLib.chip_row import ChipRow
from MedSynthLib.engine_page import EnginePage
from MedSynthLib.fixing import Fixing
from MedSynthLib.segments import new_segmentation
from MedSynthLib.settings import Settings

from medsynth_core.engines._base import get_engine
from medsynth_core.errors import InputError
from medsynth_core.lamp import Lamp
from medsynth_core.preflight import Chip, Fix, blocking
from medsynth_core.protocol import Capabilities, DeviceInfo, EngineInfo, LabelInfo, ModelCard, ModelInfo
from medsynth_core.volume import Volume
from tests.slicer_extension.painting import paint
from tests.slicer_extension.test_slicer_conversion import oblique, volume_node

TWO = (LabelInfo(0, "background", "#000000"), LabelInfo(1, "tumor", "#f28e2b"), LabelInfo(2, "edema", "#59a14f"))
CARD = ModelCard("toy", "Toy", "synthesize", 1, (8, 8), TWO, "CC0", "none")
SYNTHESIZE, REFINE, TUMOR, NUCLEI = (get_engine(name).describe() for name in ("synthesize", "refine", "tumor", "nuclei"))


@pytest.fixture
def settings() -> Settings:
    """Settings of an empty scene, with a volume of four slices."""
    made = Settings(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "MedSynth"))
    made.image = volume_node(oblique())
    return made


@pytest.fixture
def red() -> Iterator[Callable[[int], None]]:
    """Lets the Red view show slice k of the volume of `settings`."""
    node = slicer.vtkMRMLSliceNode()
    node.SetLayoutName("Red")
    node.SetSingletonTag("Red")
    node = slicer.mrmlScene.AddNode(node)

    def show(k: int) -> None:
        matrix = oblique()
        place = np.eye(4)
        place[:3, :3] = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
        place[:3, 3] = (matrix @ [3, 2, k, 1])[:3]
        node.GetSliceToRAS().DeepCopy(slicer.util.vtkMatrixFromArray(place))
        node.UpdateMatrices()

    yield show
    slicer.mrmlScene.RemoveNode(node)


def chips(
    engine: EngineInfo, settings: Settings | None, card: ModelCard | None = CARD, *used: str, **values: Any
) -> tuple[Chip, ...]:
    return checks.look(engine, card, settings, values, used)


def segments_for(settings: Settings, labels: tuple[LabelInfo, ...] = TWO) -> Any:
    settings.mask = new_segmentation(settings.image, labels, "lesion")
    return settings.mask


def test_what_is_missing_is_named_and_segments_can_be_made(settings: Settings) -> None:
    (chip,) = chips(SYNTHESIZE, settings)
    assert (chip.lamp, chip.text, chip.fix) == (Lamp.RED, "No segments", Fix.NEW_MASK)
    settings.image = None
    (chip,) = chips(SYNTHESIZE, settings)
    assert (chip.lamp, chip.fix) == (Lamp.RED, Fix.NONE)
    assert blocking(chips(SYNTHESIZE, None)) == "The scene is being closed."


def test_the_shown_slice_alone_is_judged_and_sent_where_an_engine_takes_one(
    settings: Settings, red: Callable[[int], None]
) -> None:
    mask = segments_for(settings)
    labels = np.zeros((1, *slicer.util.arrayFromVolume(settings.image).shape), np.uint8)
    labels[0, 2, 1:3, 1:4] = 1
    conversion.fill_segments(
        mask, Volume(labels, conversion.affine_of(settings.image)), {1: mask.GetSegmentation().GetNthSegmentID(0)}
    )
    red(1)
    assert "paint at least one pixel of tumor or edema" in blocking(chips(SYNTHESIZE, settings))
    red(2)
    assert blocking(chips(SYNTHESIZE, settings)) == ""
    sent = inputs.gather(SYNTHESIZE, CARD, settings, ())["mask"]
    assert np.array_equal(sent.array, labels[:, 2:3])
    assert np.allclose(sent.affine, conversion.one_slice(conversion.volume_of(settings.image), 2).affine)
    everything = inputs.gather(replace(SYNTHESIZE, one_slice=False), CARD, settings, ())["mask"]
    assert np.array_equal(everything.array, labels)


def test_a_volume_of_one_slice_needs_no_view(settings: Settings) -> None:
    settings.image = volume_node(oblique(), np.zeros((1, 16, 16), np.uint8))
    paint(segments_for(settings), settings.image)
    assert inputs.gather(SYNTHESIZE, CARD, settings, ())["mask"].size == (1, 16, 16)


def test_without_a_view_along_the_slices_the_chip_says_what_to_do(settings: Settings) -> None:
    paint(segments_for(settings), settings.image)
    assert "send the whole volume" in blocking(chips(SYNTHESIZE, settings))


def test_an_unknown_segment_blocks_and_is_renamed_where_there_is_no_choice(
    settings: Settings, red: Callable[[int], None]
) -> None:
    red(1)
    mask = segments_for(settings)
    paint(mask, settings.image)
    inside = mask.GetSegmentation()
    inside.GetNthSegment(0).SetName("cyst")
    inside.GetNthSegment(1).SetName("rim")
    one = replace(CARD, labels=TWO[:2])
    (chip,) = chips(SYNTHESIZE, settings, one)
    assert (chip.lamp, chip.fix) == (Lamp.RED, Fix.MAP_LABELS)
    assert "'cyst'" in chip.detail
    parent = qt.QWidget()
    Fixing(parent, lambda: None).map_labels(mask, one.labels)
    assert [inside.GetNthSegment(n).GetName() for n in range(2)] == ["tumor", "tumor"]
    assert blocking(chips(SYNTHESIZE, settings, one)) == ""


def test_where_a_model_knows_several_labels_a_menu_asks_which(settings: Settings) -> None:
    mask = segments_for(settings)
    mask.GetSegmentation().GetNthSegment(0).SetName("cyst")
    told: list[str] = []
    parent = qt.QWidget()
    fixing = Fixing(parent, lambda: told.append("done"))
    fixing.map_labels(mask, TWO)
    assert [action.text for action in fixing.menu.actions()] == ["cyst → tumor", "cyst → edema"]
    fixing.menu.actions()[0].trigger()
    assert mask.GetSegmentation().GetNthSegment(0).GetName() == "tumor"
    assert told == ["done"]
    fixing.menu.close()


def test_a_refinement_needs_something_painted_anywhere_in_the_volume(settings: Settings) -> None:
    mask = segments_for(settings)
    assert "Nothing is painted in this volume" in blocking(chips(REFINE, settings, None, "mask"))
    paint(mask, settings.image, mask.GetSegmentation().GetNthSegmentID(1))
    assert chips(REFINE, settings, None, "mask")[0].text == "1 label"
    assert blocking(chips(REFINE, settings, None, "mask")) == ""


def test_a_tumor_outside_of_the_head_is_stopped_and_too_large_a_one_too(settings: Settings) -> None:
    head = {f"head_center_{a}_mm": 0.0 for a in "xyz"} | {f"head_half_{a}_mm": 70.0 for a in "xyz"}
    card = replace(CARD, labels=(), figures=head | {"volume_ml_min": 2.0, "volume_ml_max": 100.0})
    asked = {"volume_ml": 20.0, "place": "given", "center_x_mm": 10.0, "center_y_mm": 0.0, "center_z_mm": 90.0}
    outside = chips(TUMOR, settings, card, **asked)
    assert outside[0].fix is Fix.DRAW_PLACE
    assert "outside the head" in blocking(outside)
    assert blocking(chips(TUMOR, settings, card, **asked | {"center_z_mm": 20.0})) == ""
    assert "too far" in blocking(chips(TUMOR, settings, card, **asked | {"center_z_mm": 0.0, "volume_ml": 900.0}))


def test_optional_inputs_are_sent_when_somebody_says_so(settings: Settings) -> None:
    page = EnginePage(TUMOR, Capabilities(1, "0", "toy", True, engines=(TUMOR,), models=(ModelInfo("toy", "tumor", CARD),)))
    assert page.used == frozenset()
    assert inputs.gather(TUMOR, CARD, settings, page.used) == {}
    page.use("background", True)
    sent = inputs.gather(TUMOR, CARD, settings, page.used)
    assert np.array_equal(sent["background"].array[0], slicer.util.arrayFromVolume(settings.image))


def test_each_part_of_a_segment_is_a_nucleus_of_its_own(settings: Settings) -> None:
    mask = segments_for(settings, TWO[:2])
    labels = np.zeros((1, *slicer.util.arrayFromVolume(settings.image).shape), np.uint8)
    labels[0, 0, 0, 0] = labels[0, 0, 2, 2:4] = labels[0, 1, 3, 3] = 1
    place = conversion.affine_of(settings.image)
    conversion.fill_segments(mask, Volume(labels, place), {1: mask.GetSegmentation().GetNthSegmentID(0)})
    sent = inputs.gather(NUCLEI, None, settings, {"mask"})["mask"].array
    assert sent.dtype == np.uint16
    assert sorted(np.unique(sent[0, 0]).tolist()) == [0, 1, 2]
    assert np.array_equal(sent > 0, labels > 0)
    assert len(set(sent[0, 0, 2, 2:4].tolist())) == 1
    assert sent[0, 1].max() == 1


def test_more_nuclei_than_numbers_are_refused() -> None:
    board = np.indices((1, 1, 400, 400)).sum(0) % 2
    with pytest.raises(InputError, match="more than 65535 objects"):
        conversion.instances_of(Volume(board.astype(np.uint8), np.eye(4)))


def test_chips_are_links_with_a_tooltip_and_nothing_in_them_is_read_as_markup() -> None:
    fixed: list[Fix] = []
    label = qt.QLabel()
    row = ChipRow(label, fixed.append)
    row.show((Chip(Lamp.RED, "A <b> & c", "Why <so>.", Fix.NEW_MASK), Chip(Lamp.GREEN, "Fine", "All is well.")))
    assert "A&nbsp;&lt;b&gt;&nbsp;&amp;&nbsp;c" in label.text
    assert label.toolTip == "Why &lt;so&gt;.<br>All is well."
    label.linkActivated.emit("NEW_MASK")
    assert fixed == [Fix.NEW_MASK]
    row.show(())
    assert label.text == ""


def test_room_and_time_are_said_where_they_are_known() -> None:
    assert checks.room(None, None) == ()
    assert [c.text for c in checks.room(DeviceInfo("CPU", "cpu", 2**34, 2**33), 12.0)] == ["Memory", "≈ 12 s"]


def test_looking_at_a_large_volume_takes_no_time_to_notice(settings: Settings, red: Callable[[int], None]) -> None:
    settings.image = volume_node(oblique(), np.zeros((64, 512, 512), np.int16))
    mask = segments_for(settings)
    labels = np.zeros((1, 64, 512, 512), np.uint8)
    labels[0, 20:40, 100:300, 100:300] = 1
    ids = [mask.GetSegmentation().GetNthSegmentID(n) for n in range(2)]
    for segment in ids:
        conversion.fill_segments(mask, Volume(labels, conversion.affine_of(settings.image)), {1: segment})
    red(30)
    for engine, used in ((SYNTHESIZE, ()), (REFINE, ("mask",)), (TUMOR, ("background",))):
        before = time.thread_time()
        found = chips(engine, settings, CARD, *used, volume_ml=20.0, place="drawn")
        assert time.thread_time() - before < 0.05, (engine.name, found)


def test_the_panel_shows_chips_and_a_fix_makes_segments(panel: Any, widget: Any) -> None:
    models = (ModelInfo("toy", "synthesize", CARD),)
    panel.capabilities_changed(Capabilities(1, "0", "toy", True, engines=(SYNTHESIZE,), models=models))
    assert not panel._ui.shownBox.isVisibleTo(widget.page)
    widget.logic.settings().image = volume_node(oblique(), np.zeros((1, 8, 8), np.uint8))
    assert "No&nbsp;segments" in panel._ui.chipLabel.text
    panel._ui.chipLabel.linkActivated.emit("NEW_MASK")
    assert widget.logic.settings().mask.GetSegmentation().GetNthSegment(0).GetName() == "tumor"
    assert "Mask&nbsp;is&nbsp;empty" in panel._ui.chipLabel.text
    assert not panel._ui.runButton.enabled
    paint(widget.logic.settings().mask, widget.logic.settings().image)
    panel._look_timer.timeout.emit()
    assert panel._ui.runButton.enabled
