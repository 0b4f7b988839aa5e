"""What the chips say before a run."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("napari")

from medsynth_core.lamp import Lamp
from medsynth_core.preflight import Fix, blocking, check, distinct, lacking, show_seconds, unknown_labels
from medsynth_core.protocol import Capabilities, DeviceInfo, EngineInfo, LabelInfo, ModelInfo
from tests.scripted import BRAIN, SYNTHESIZE

MASK = np.zeros((128, 128), np.uint8)
MASK[40:60, 40:60] = 1
TWO = replace(BRAIN, labels=(*BRAIN.labels, LabelInfo(2, "edema", "#00ff00")))


def lamps(mask: np.ndarray | None, **given: object) -> list[Lamp]:
    card = given.get("card", BRAIN)
    return [chip.lamp for chip in check(mask, card, given.get("device"), given.get("seconds"))]  # type: ignore[arg-type]


def test_a_good_mask_is_all_green() -> None:
    device = DeviceInfo("CPU", "cpu", 2**34, 2**33)
    chips = check(MASK, BRAIN, device, 0.42)
    assert [chip.lamp for chip in chips] == [Lamp.GREEN] * 4
    assert chips[-1].text == "≈ 0.4 s"
    assert blocking(chips) == ""


def test_a_model_for_research_only_says_so_and_may_be_used() -> None:
    chips = check(MASK, replace(BRAIN, commercial_use=False, license="CC BY-NC-SA 4.0"), None, None)
    (chip,) = [c for c in chips if c.text == "Research only"]
    assert chip.lamp is Lamp.AMBER
    assert "CC BY-NC-SA 4.0" in chip.detail
    assert blocking(chips) == ""


def test_no_mask_offers_to_make_one() -> None:
    (chip,) = check(None, BRAIN, None, None)
    assert chip.fix is Fix.NEW_MASK
    assert chip.lamp is Lamp.RED


def test_an_empty_mask_blocks_with_the_reason() -> None:
    chips = check(np.zeros((64, 64), np.uint8), BRAIN, None, None)
    assert "paint at least one pixel of tumor" in blocking(chips)


def test_an_unknown_label_blocks_and_can_be_mapped() -> None:
    mask = MASK.copy()
    mask[0, 0] = 7
    chip = check(mask, TWO, None, None)[0]
    assert (chip.lamp, chip.fix) == (Lamp.RED, Fix.MAP_LABELS)
    assert "7" in chip.detail
    assert unknown_labels(mask, TWO) == (7,)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_a_255_mask_is_understood_where_there_is_one_label(dtype: type) -> None:
    mask = (MASK * (1 if dtype is bool else 255)).astype(dtype)
    assert lamps(mask)[0] is Lamp.GREEN


@pytest.mark.parametrize("value", [np.nan, 0.5])
def test_what_is_no_mask_blocks(value: float) -> None:
    assert lamps(np.full((64, 64), value))[0] is Lamp.RED


@pytest.mark.parametrize(
    ("shape", "lamp"),
    [
        ((128, 128), Lamp.GREEN),
        ((384, 284), Lamp.GREEN),
        ((20, 20), Lamp.AMBER),
        ((1000, 1000), Lamp.AMBER),
        ((128, 400), Lamp.AMBER),
        ((5000, 128), Lamp.RED),
    ],
)
def test_the_size_is_weighed_against_the_models(shape: tuple[int, int], lamp: Lamp) -> None:
    mask = np.zeros(shape, np.uint8)
    mask[2:9, 2:9] = 1
    assert lamps(mask)[1] is lamp


def test_a_tiling_model_takes_any_size() -> None:
    assert lamps(np.ones((2000, 3000), np.uint8), card=replace(BRAIN, fit="tile"))[1] is Lamp.GREEN


def test_little_memory_warns_and_unknown_memory_is_not_judged() -> None:
    little = DeviceInfo("CPU", "cpu", 2**34, 2**28)
    chip = check(MASK, BRAIN, little, None)[-1]
    assert (chip.lamp, chip.fix) == (Lamp.AMBER, Fix.FREE_MEMORY)
    assert len(check(MASK, BRAIN, DeviceInfo("CPU", "cpu"), None)) == 2


def test_an_engine_without_models_takes_any_mask() -> None:
    assert lamps(np.zeros((8, 8), np.uint8), card=None) == [Lamp.GREEN, Lamp.GREEN]


def test_what_the_service_lacks_is_said() -> None:
    there = Capabilities(1, "0", "x", True, None, (SYNTHESIZE,), (ModelInfo("brain-slice", "synthesize", BRAIN),))
    assert lacking(there, "synthesize", "brain-slice") == ""
    assert "starting" in lacking(None, "synthesize", "")
    assert "not installed" in lacking(there, "refine", "")
    assert "msynth train" in lacking(replace(there, models=()), "synthesize", "")
    broken = replace(there, models=(ModelInfo("b", "synthesize", None, "its weights differ from the checksum"),))
    assert "checksum" in lacking(broken, "synthesize", "")
    without = replace(there, engines=(EngineInfo("synthesize", "", problem="torch is missing"),))
    assert "torch is missing" in lacking(without, "synthesize", "")


@pytest.mark.parametrize(("seconds", "text"), [(0.42, "0.4 s"), (12.3, "12 s"), (180, "3 min")])
def test_times_are_said_as_a_person_does(seconds: float, text: str) -> None:
    assert show_seconds(seconds) == text


def test_a_large_mask_does_not_hold_up_the_viewer() -> None:
    mask = np.zeros((4096, 4096), np.int64)
    mask[5, 5], mask[6, 6] = 1, 9
    began = time.process_time()
    assert check(mask, TWO, None, None)[0].text == "Unknown label"
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize("values", [[0, 1, 1, 7], [-3, 0, 2], [0, 70_000, 5], [0.5, 1.0]])
def test_the_values_of_a_mask_are_found_whatever_they_are(values: list[float]) -> None:
    mask = np.array(values).reshape(1, -1)
    assert distinct(mask).tolist() == sorted(set(values))
