"""Inputs with a box of their own: where to make anew, what is locked, objects that come numbered; sent as they are painted."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import slicer
from MedSynthLib import checks, inputs
from MedSynthLib.engine_page import EnginePage
from MedSynthLib.growing import GrowingNodes
from MedSynthLib.segments import new_segmentation
from MedSynthLib.settings import Settings

from medsynth_core.engines._base import get_engine
from medsynth_core.errors import InputError, ShapeError
from medsynth_core.lamp import Lamp
from medsynth_core.protocol import Capabilities, LabelInfo, OutputInfo
from tests.slicer_extension.painting import paint
from tests.slicer_extension.test_slicer_conversion import oblique, put_under, volume_node

REFINE, NUCLEI, TUMOR = (get_engine(name).describe() for name in ("refine", "nuclei", "tumor"))
ONE = (LabelInfo(1, "nucleus", "#f28e2b"),)
MANY = np.arange(120, dtype=np.uint16).reshape(4, 5, 6) + 300


@pytest.fixture
def settings() -> Settings:
    """Settings of an empty scene, with a volume of four slices."""
    made = Settings(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "MedSynth"))
    made.image = volume_node(oblique())
    return made


def numbered(settings: Settings, matrix: np.ndarray | None = None) -> Any:
    shape = slicer.util.arrayFromVolume(settings.image).shape
    numbers = (np.arange(np.prod(shape)).reshape(shape) + 300).astype(np.uint16)
    return volume_node(oblique() if matrix is None else matrix, numbers, "LabelMap")


def test_each_label_input_beside_the_segments_has_a_box() -> None:
    assert [info.name for info in inputs.picked(REFINE)] == ["locked"]
    assert [info.name for info in inputs.picked(NUCLEI)] == ["mask", "region"]
    assert inputs.picked(TUMOR) == ()


def test_numbered_objects_are_sent_with_their_numbers(settings: Settings) -> None:
    node = numbered(settings)
    sent = inputs.gather(NUCLEI, None, settings, (), {"mask": node})
    assert sent["mask"].array.dtype == np.uint16
    assert np.array_equal(sent["mask"].array[0], slicer.util.arrayFromVolume(node))
    assert np.allclose(sent["mask"].affine, oblique())


def test_numbered_objects_need_no_volume_and_a_volume_must_have_their_voxels(settings: Settings) -> None:
    node = numbered(settings)
    moved = oblique()
    moved[0, 3] += 0.5
    with pytest.raises(ShapeError, match="other voxels than the volume"):
        inputs.gather(NUCLEI, None, settings, (), {"mask": numbered(settings, moved)})
    put_under(settings.image)
    (chip,) = checks.look(NUCLEI, None, settings, {}, (), {"mask": node})
    assert chip.lamp is Lamp.RED
    settings.image = None
    assert inputs.gather(NUCLEI, None, settings, (), {"mask": node})["mask"].size == MANY.shape


def test_numbers_that_no_instance_map_holds_are_refused(settings: Settings) -> None:
    shape = slicer.util.arrayFromVolume(settings.image).shape
    for wrong in (-1, 70000):
        node = volume_node(oblique(), np.full(shape, wrong, np.int32), "LabelMap")
        with pytest.raises(InputError, match="number its objects anew"):
            inputs.gather(NUCLEI, None, settings, (), {"mask": node})


@pytest.mark.parametrize(("engine", "name"), [(REFINE, "locked"), (NUCLEI, "region")])
def test_painted_strokes_are_sent_as_where_they_are(settings: Settings, engine: Any, name: str) -> None:
    settings.mask = new_segmentation(settings.image, ONE, "mask")
    paint(settings.mask, settings.image)
    strokes = new_segmentation(settings.image, (*ONE, LabelInfo(2, "more", "#59a14f")), "strokes")
    given = {name: strokes}
    assert [c.lamp for c in checks.look(engine, None, settings, {}, (), given) if c.text.endswith(": empty")] == [Lamp.AMBER]
    paint(strokes, settings.image, *strokes.GetSegmentation().GetSegmentIDs())
    sent = inputs.gather(engine, None, settings, ("mask",), given)
    assert sent[name].array.dtype == np.uint8
    assert set(np.unique(sent[name].array)) == {0, 1}
    assert np.array_equal(sent[name].array != 0, sent["mask"].array != 0)
    assert any(
        c.lamp is Lamp.GREEN and c.text in ("Locked", "Only here") for c in checks.look(engine, None, settings, {}, (), given)
    )


def test_a_label_map_locks_where_it_is_not_zero(settings: Settings) -> None:
    settings.mask = new_segmentation(settings.image, ONE, "mask")
    paint(settings.mask, settings.image)
    sent = inputs.gather(REFINE, None, settings, ("mask",), {"locked": numbered(settings)})
    assert sent["locked"].array.dtype == np.uint8
    assert (sent["locked"].array == 1).all()


def test_strokes_without_a_volume_say_what_to_choose(settings: Settings) -> None:
    strokes = new_segmentation(settings.image, ONE, "strokes")
    settings.image = None
    with pytest.raises(InputError, match="Only here: choose a volume, too"):
        inputs.gather(NUCLEI, None, settings, (), {"region": strokes})
    (chip,) = checks.look(NUCLEI, None, settings, {}, (), {"region": strokes})
    assert chip.lamp is Lamp.RED


def test_the_page_knows_what_was_chosen_and_forgets_what_was_deleted() -> None:
    page = EnginePage(NUCLEI, Capabilities(1, "0", "toy", True, engines=(NUCLEI,)))
    node = volume_node(np.eye(4), MANY, "LabelMap")
    assert page.chosen == {}
    page.choose("mask", node)
    assert page.chosen == {"mask": node}
    slicer.mrmlScene.RemoveNode(node)
    assert page.chosen == {}


def test_nuclei_come_as_one_label_map_volume_whose_numbers_go_back_as_they_came(settings: Settings) -> None:
    affine = tuple(map(tuple, oblique().tolist()))
    growing = GrowingNodes("[Synthetic] tile")
    growing.announce(OutputInfo("instances", "labels", (1, 4, 5, 6), "uint16", affine))
    for z in range(4):
        growing.put("instances", z, MANY[None, z])
    growing.redraw(last=True)
    (node,) = growing.nodes().values()
    assert node.GetClassName() == "vtkMRMLLabelMapVolumeNode"
    assert node.GetImageData().GetScalarTypeAsString() == "unsigned short"
    settings.image = None
    back = inputs.gather(NUCLEI, None, settings, (), {"mask": node})["mask"]
    assert back.array.dtype == np.uint16
    assert np.array_equal(back.array[0], MANY)


def test_neighboring_numbers_have_colors_that_differ_and_zero_is_clear() -> None:
    growing = GrowingNodes("tile")
    growing.announce(OutputInfo("instances", "labels", (1, 1, 2, 2), "uint16", tuple(map(tuple, np.eye(4).tolist()))))
    table = next(iter(growing.nodes().values())).GetDisplayNode().GetColorNode().GetLookupTable()
    color = [np.array(table.GetTableValue(n)) for n in range(300, 330)]
    assert table.GetTableValue(0)[3] == 0
    assert min(np.abs(a - b).max() for a, b in pairwise(color)) > 0.2
    assert table.GetTableValue(65535)[3] == 1
