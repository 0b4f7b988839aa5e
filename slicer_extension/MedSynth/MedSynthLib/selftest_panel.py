"""Cases of the self test: panel, widgets and Slicer's own are as we take them to be. A service is needed for the last."""

from __future__ import annotations

import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import slicer

from medsynth_core.errors import MedSynthError
from medsynth_core.protocol import Capabilities, EngineInfo, InputInfo, ParamInfo, ParamKind
from MedSynthLib import conversion, refine_effect, samples, scripting, terminology
from MedSynthLib.forms import ParamForm
from MedSynthLib.panel import Panel
from MedSynthLib.segments import segment_names
from MedSynthLib.settings import Settings

PARAMS = (
    ParamInfo("steps", "Steps", ParamKind.CHOICE, 4, choices=(1, 2, 4)),
    ParamInfo("density", "Density", ParamKind.NUMBER, 0.5, 0.0, 1.0),
    ParamInfo("count", "Count", ParamKind.INTEGER, 3, 1, 9),
    ParamInfo("smooth", "Smooth", ParamKind.FLAG, True),
    ParamInfo("note", "Note", ParamKind.TEXT, "x"),
)
INPUTS = (
    InputInfo("image", "Image", "image"),
    InputInfo("mask", "Mask", "labels"),
    InputInfo("locked", "Locked", "labels", required=False),
)
ENGINE = EngineInfo("case", "An engine for a case", inputs=INPUTS, params=PARAMS, synthetic=False)


class PanelCases:
    """Widgets, settings, editor, effect, samples."""

    def test_a_form_is_drawn_from_a_description(self) -> None:
        """Each kind of field shows and gives its default, and takes another value."""
        form = ParamForm(PARAMS)
        assert form.values() == {info.name: info.default for info in PARAMS}
        other = {"steps": 2, "density": 0.25, "count": 7, "smooth": False, "note": "y"}
        form.set_values(other)
        assert form.values() == other

    def test_the_panel_opens_and_its_selectors_follow_the_settings_both_ways(self) -> None:
        """The .ui file, the parameter node, the boxes of nodes."""
        with opened() as (page, panel, settings):
            assert "vtkMRMLVolumeNode" not in page.imageSelector.nodeTypes
            grid, _ = samples.load(samples.BRAIN)
            settings.image = grid
            assert page.imageSelector.currentNode() is grid
            page.imageSelector.setCurrentNode(None)
            assert settings.image is None
            settings.seed = 12
            assert page.seedBox.value == 12
            page.seedBox.setValue(13)
            assert settings.seed == 13
            panel.check()

    def test_an_engine_gets_its_form_and_says_what_is_missing(self) -> None:
        """From the capability document to the button, and to what would be sent."""
        with opened() as (page, panel, settings):
            panel.capabilities_changed(Capabilities(1, "0", "case", True, engines=(ENGINE,)))
            assert page.runButton.text == "Case"
            assert not page.runButton.enabled
            settings.image, settings.mask = samples.load(samples.BRAIN)
            panel.page.choose("locked", settings.mask)
            panel.check()
            assert page.runButton.enabled, page.runButton.toolTip
            panel.capabilities_changed(Capabilities(1, "0", "case", True, engines=(ENGINE,)))
            assert page.tabs.count == 1

    def test_the_editor_takes_segments_and_lets_go_of_them(self) -> None:
        """Slicer's own segment editor, inside the panel."""
        with opened() as (_, panel, _):
            grid, mask = samples.load(samples.BRAIN)
            panel.editor.show(mask, grid)
            panel.editor.enter()
            panel.editor.take_brush()
            panel.editor.save_state(mask)
            panel.editor.leave()
            panel.editor.forget()

    def test_the_samples_load(self) -> None:
        """Each image with its mask, which lies on it and is not empty."""
        for sample in samples.SAMPLES:
            grid, mask = samples.load(sample)
            if mask.IsA("vtkMRMLSegmentationNode"):
                inside = conversion.labels_of(mask, grid, dict.fromkeys(segment_names(mask), 1)).array
            else:
                inside = conversion.volume_of(mask).array
            assert 0 < np.count_nonzero(inside) < inside.size

    def test_the_effect_can_be_made(self) -> None:
        """Slicer finds the effect's class by its file, and asks it for a picture and a text."""
        adaptor = refine_effect.make()
        assert adaptor.name == refine_effect.NAME
        effect = adaptor.self()
        assert effect.helpText()
        assert effect.icon() is not None

    def test_known_names_have_codes(self) -> None:
        """The terminology logic writes an entry as the list of Slicer has it."""
        assert "SCT^4147007^Mass" in terminology.entry("tumor")

    def test_an_engine_refines_a_sample(self) -> None:
        """With the service, where one runs or can be started; otherwise the case is skipped."""
        try:
            engine = scripting.Engine(scripting.connect())
        except MedSynthError as problem:
            raise unittest.SkipTest(str(problem)) from None
        grid, rough = samples.load(samples.POLYP_ROUGH)
        try:
            refined = engine.refine(grid, rough, steps=1)
        finally:
            engine.close()
        before, after = (conversion.labels_of(n, grid, dict.fromkeys(segment_names(n), 1)).array != 0 for n in (rough, refined))
        assert (before & after).sum() > 0.5 * before.sum()
        assert (before != after).any()


@contextmanager
def opened() -> Iterator[tuple[Any, Panel, Settings]]:
    """Give (page, panel, settings), bound to each other as the module does it; no service is looked for."""
    page = slicer.util.loadUI(slicer.util.modulePath("MedSynth").replace("MedSynth.py", "Resources/UI/MedSynth.ui"))
    page.setMRMLScene(slicer.mrmlScene)
    panel = Panel(slicer.util.childWidgetVariables(page))
    settings = Settings(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "case"))
    tag = settings.connectGui(page)
    panel.set_settings(settings)
    try:
        yield page, panel, settings
    finally:
        settings.disconnectGui(tag)
        panel.set_settings(None)
        panel.close()
        page.deleteLater()
