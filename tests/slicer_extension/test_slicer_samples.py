"""Samples and the four starter cards: real images that lie as they are read, and a click that leaves one button to press."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import slicer
from MedSynthLib import conversion, samples
from MedSynthLib.samples import SAMPLES
from MedSynthLib.starter_cards import STARTERS

from medsynth_core.engines._base import get_engine
from medsynth_core.errors import InputError
from medsynth_core.protocol import Capabilities, LabelInfo, ModelCard, ModelInfo, ParamInfo, ParamKind
from tests.slicer_extension.test_slicer_conversion import world_of

ENGINES = tuple(get_engine(name).describe() for name in ("refine", "synthesize", "tumor", "nuclei"))
TUMOR = ParamInfo("tumor", "Tumor", ParamKind.CHOICE, "glioma", choices=("glioma", "meningioma"))
LESION = (LabelInfo(0, "background", "#000000"), LabelInfo(1, "tumor", "#f28e2b"))
CARD = ModelCard("brain-slice", "Brain", "synthesize", 1, (256, 256), LESION, "CC0", "none", options=(TUMOR,))
OTHER = ModelCard("another", "Another", "synthesize", 1, (256, 256), LESION, "CC0", "none")
REFINER = ModelCard("refiner", "Refiner", "refine", 1, (256, 256), (), "CC0", "none")
MODELS = tuple(ModelInfo(card.id, card.engine, card) for card in (OTHER, CARD, REFINER))


def offer_all(panel_: Any) -> None:
    panel_.capabilities_changed(Capabilities(1, "0", "toy", True, engines=ENGINES, models=MODELS))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.stem}-{sample.marks}")
def test_a_sample_is_an_image_and_its_mask_in_the_same_place(sample: samples.Sample) -> None:
    image, marks = samples.load(sample)
    pixels = slicer.util.arrayFromVolume(image)
    assert pixels.dtype == np.uint8
    assert pixels.std() > 20
    inside = (
        slicer.util.arrayFromVolume(marks)
        if sample.marks == samples.INSTANCES
        else conversion.labels_of(marks, image, {marks.GetSegmentation().GetNthSegmentID(0): 1}).array[0]
    )
    assert inside.shape == pixels.shape[:3]
    assert 0.005 < (inside != 0).mean() < 0.6


def test_the_first_row_of_a_file_is_in_front_and_its_first_column_right_as_an_axial_slice_is_read() -> None:
    image, _ = samples.load(samples.BRAIN)
    assert np.allclose(world_of(image, 255, 255, 0) - world_of(image, 0, 0, 0), (-255, -255, 0))


def test_numbered_nuclei_keep_their_numbers() -> None:
    image, marks = samples.load(samples.NUCLEI)
    assert image.IsA("vtkMRMLVectorVolumeNode")
    assert marks.IsA("vtkMRMLLabelMapVolumeNode")
    assert len(np.unique(slicer.util.arrayFromVolume(marks))) == 32
    assert slicer.util.arrayFromVolume(marks).dtype == np.uint16


def test_a_file_that_is_missing_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="install the extension again"):
        samples.read(tmp_path / "none.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="install the extension again"):
        samples.read(tmp_path / "broken.png")
    with pytest.raises(InputError, match="open the module from its checkout"):
        samples.folder(tmp_path / "somewhere.py")


class SampleLogic:
    """What Slicer's module Sample Data is told."""

    sources: ClassVar[list[dict[str, Any]]] = []

    @classmethod
    def registerCustomSampleDataSource(cls, **facts: Any) -> None:
        cls.sources.append(facts)


class NewerLogic(SampleLogic):
    """That of Slicer 5.12."""

    categories: ClassVar[list[str]] = []

    @classmethod
    def registerCustomSampleDataCategory(cls, category: str, title: str) -> None:
        cls.categories.append(title)


@pytest.mark.parametrize("logic", [SampleLogic, NewerLogic])
def test_sample_data_offers_them_in_older_and_newer_slicer(monkeypatch: pytest.MonkeyPatch, logic: type) -> None:
    monkeypatch.setitem(sys.modules, "SampleData", types.SimpleNamespace(SampleDataLogic=logic))
    SampleLogic.sources.clear()
    samples.register()
    assert [facts["sampleName"] for facts in SampleLogic.sources] == [sample.title for sample in SAMPLES]
    assert all(Path(facts["thumbnailFileName"]).is_file() for facts in SampleLogic.sources)
    nodes = SampleLogic.sources[2]["customDownloader"](None)
    assert [node.GetName() for node in nodes] == ["Polyp frame", "Polyp frame: polyp"]
    assert NewerLogic.categories == (["MedSynth"] if logic is NewerLogic else [])


def test_the_refine_card_leaves_only_the_button_to_press(lone_panel: Any, lone_widget: Any) -> None:
    offer_all(lone_panel)
    assert not lone_panel._ui.startRow.isHidden()
    lone_panel._ui.refineCard.click()
    settings = lone_widget.logic.settings()
    assert (settings.image.GetName(), settings.mask.GetName()) == ("Polyp frame, rough mask", "Polyp frame, rough mask: polyp")
    assert lone_panel.page.engine.name == "refine"
    assert lone_panel._ui.startRow.isHidden()
    assert "refiner is not installed" not in lone_panel._ui.messageLabel.text
    assert "Apply writes it" in lone_panel._ui.messageLabel.text
    assert lone_panel._ui.runButton.enabled


def test_a_card_whose_model_is_not_installed_says_so(lone_panel: Any) -> None:
    lone_panel.capabilities_changed(Capabilities(1, "0", "toy", True, engines=ENGINES))
    lone_panel._ui.refineCard.click()
    assert "refiner is not installed" in lone_panel._ui.messageLabel.text


def test_the_paint_card_chooses_the_model_and_its_options(lone_panel: Any) -> None:
    offer_all(lone_panel)
    lone_panel._ui.paintCard.click()
    assert lone_panel.page.card.id == "brain-slice"
    assert lone_panel.page.values()["tumor"] == "meningioma"
    assert lone_panel._ui.runButton.enabled


def test_the_tumor_card_places_a_box(lone_panel: Any) -> None:
    offer_all(lone_panel)
    lone_panel._ui.tumorCard.click()
    assert lone_panel.placing.box is not None
    assert lone_panel.page.values()["place"] == "given"


def test_the_nuclei_card_sends_the_numbered_nuclei(lone_panel: Any, lone_widget: Any) -> None:
    offer_all(lone_panel)
    lone_panel._ui.nucleiCard.click()
    assert lone_panel.page.chosen["mask"].IsA("vtkMRMLLabelMapVolumeNode")
    assert lone_widget.logic.settings().mask is None
    assert lone_panel._ui.runButton.enabled


def test_a_card_of_an_engine_that_is_not_there_says_so(lone_panel: Any) -> None:
    lone_panel.capabilities_changed(Capabilities(1, "0", "toy", True, engines=ENGINES[:1]))
    assert lone_panel._ui.refineCard.enabled
    assert not lone_panel._ui.nucleiCard.enabled
    assert "no nuclei here" in lone_panel._ui.nucleiCard.toolTip
    assert len(STARTERS) == 4
