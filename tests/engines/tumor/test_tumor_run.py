"""The engine with a toy model: what it gives, in which order, what it refuses and what it tells."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from medsynth_core.engines._base import Progress, Slice, Task
from medsynth_core.engines.tumor.case import prepare
from medsynth_core.engines.tumor.engine import ENGINE
from medsynth_core.engines.tumor.frame import frame_of
from medsynth_core.engines.tumor.shape import measure
from medsynth_core.errors import ParameterError
from medsynth_core.protocol import OutputInfo
from medsynth_core.volume import Volume
from tests.toy_tumor import Grow

TaskOf = Callable[..., Task]


@pytest.mark.parametrize(("slices", "anchor"), [(1, 0), (2, 1), (3, -1), (5, 4), (13, 0), (20, 11)])
def test_each_slice_of_each_output_comes_once_and_the_one_looked_at_first(grow: Grow, slices: int, anchor: int) -> None:
    grown = grow(slices=slices, anchor=anchor)
    assert list(grown.outputs) == ["image", "mask", "latents"]
    for name in grown.outputs:
        assert sorted(grown.order(name)) == list(range(slices))
    if anchor >= 0:
        assert grown.order("image")[0] == anchor


def test_slices_drop_in_from_the_anchor_both_ways(grow: Grow) -> None:
    given = grow(slices=24, anchor=12).order("image")
    for i in range(1, len(given)):
        assert given[i] in (min(given[:i]) - 1, max(given[:i]) + 1), "a gap"


def test_without_an_anchor_it_grows_from_the_middle_of_the_tumor(grow: Grow) -> None:
    grown = grow(slices=24, slice_mm=6.0, anchor=-1, place="given", center_x_mm=-25.0, center_z_mm=30.0)
    assert grown.order("image")[0] in (16, 17)  # 11.5 + 30 mm / 6 mm


def test_the_first_image_needs_nothing_but_its_slab(task_of: TaskOf) -> None:
    events = list(ENGINE.run(task_of(slices=20, anchor=11)))
    kinds = [(event.output, event.z) for event in events if isinstance(event, Slice)]
    assert [output for output, _ in kinds[:6]] == ["latents"] * 4 + ["image", "mask"]
    assert kinds[4] == ("image", 11)


def test_the_first_image_comes_early(task_of: TaskOf) -> None:
    list(ENGINE.run(task_of(slices=2)))
    started = time.perf_counter()
    next(event for event in ENGINE.run(task_of(slices=512)) if isinstance(event, Slice) and event.output == "image")
    assert time.perf_counter() - started < 2  # 0.05 s on a quiet machine; it must not wait for 512 slices


def test_the_grid_asked_for_is_the_grid_given(grow: Grow) -> None:
    grown = grow(slices=6, height=50, width=70, slice_mm=3.0, row_mm=2.0, column_mm=2.5)
    for name in ("image", "mask"):
        assert grown.outputs[name].shape == (1, 6, 50, 70)
        there = frame_of(Volume(grown.volume(name), np.array(grown.outputs[name].affine)))
        assert there.spacing_mm == pytest.approx((3.0, 2.0, 2.5))
        assert there.to_frame((0, 0, 0)) == pytest.approx((0, 0, 0), abs=1e-9)
    assert set(np.unique(grown.volume("mask"))) <= {0, 1}


def test_the_state_says_that_it_is_none_to_look_at(grow: Grow) -> None:
    outputs = grow(slices=3).outputs
    assert [output.kind for output in outputs.values()] == ["image", "labels", "state"]
    assert outputs["latents"].shape == (8, 3, 32, 32)
    state = frame_of(Volume(np.zeros((1, 3, 32, 32)), np.array(outputs["latents"].affine)))
    assert state.spacing_mm[1:] == pytest.approx((7.5, 7.5))
    assert state.to_frame((0, 0, 0)) == pytest.approx((0, 0, 0), abs=1e-9)


def test_what_was_asked_and_what_was_got_stand_in_the_recipe_in_world_coordinates(grow: Grow) -> None:
    asked = {"center_x_mm": -25.0, "center_y_mm": 12.0, "center_z_mm": 5.0, "volume_ml": 25.0, "extent_x_mm": 40.0}
    grown = grow(slices=24, slice_mm=5.0, place="given", **asked)
    for name, value in asked.items():
        assert grown.notes[f"asked_{name}"] == pytest.approx(value)
    assert {"asked_sphericity", "asked_extent_y_mm", "asked_surface_cm2", "device"} <= set(grown.notes)
    mask = grown.volume("mask")[0]
    frame = frame_of(Volume(mask[None], np.array(grown.outputs["mask"].affine)))
    shape = measure(frame.canonical(mask), frame.spacing_mm)
    assert grown.notes["got_volume_ml"] == pytest.approx(shape.volume_ml, abs=1e-3)
    center = [grown.notes[f"got_center_{axis}_mm"] for axis in "xyz"]
    assert center == pytest.approx(frame.to_world(shape.center_mm), abs=1e-3)
    z, y, x = np.argwhere(mask).mean(axis=0)
    assert center == pytest.approx((frame.affine @ [x, y, z, 1])[:3], abs=1e-3)


def test_a_request_beyond_the_training_patients_is_flagged(grow: Grow) -> None:
    flags = [key for key in grow(slices=24, volume_ml=60.0).notes if key.startswith("flag_")]
    assert flags == ["flag_volume_ml"]


def test_progress_counts_slices_and_says_so(grow: Grow) -> None:
    progress = grow(slices=9).progress
    assert [step.done for step in progress] == list(range(10))
    assert progress[-1] == Progress(9, 9, "slice 9 of 9")


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"anchor": 5, "slices": 5}, "anchor is 5"),
        ({"volume_ml": 900.0}, "volume_ml is 900"),
        ({"center_x_mm": 10.0}, "place"),
        ({"place": "given", "center_z_mm": 400.0}, "center_mm"),
        ({"row_mm": 0.01}, "row_mm"),
        ({"extent_z_mm": 60.0, "slices": 4}, "extent_z_mm"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_announced(task_of: TaskOf, asked: dict[str, float], named: str) -> None:
    with pytest.raises(ParameterError, match=named):
        next(iter(ENGINE.run(task_of(**asked))))


@pytest.mark.parametrize("seed", range(6))
def test_a_drawn_tumor_lies_within_a_low_stack(task_of: TaskOf, seed: int) -> None:
    case = prepare(task_of(slices=4, seed=seed))
    height, z = case.shape.extent_mm[2] / 2, case.shape.center_mm[2]
    assert min(z + height, case.frame.half_mm[2]) > max(z - height, -case.frame.half_mm[2])


def test_the_same_seed_gives_the_same_bytes_and_another_other_ones(grow: Grow) -> None:
    first = grow(slices=7, seed=-3)
    assert grow(slices=7, seed=-3).last == first.last
    assert grow(slices=7, seed=3).last != first.last


def test_it_can_be_cancelled_between_any_two_events(task_of: TaskOf) -> None:
    count = sum(1 for _ in ENGINE.run(task_of(slices=3)))
    for stop in range(count):
        events = ENGINE.run(task_of(slices=3))
        for _ in range(stop):
            next(events)
        events.close()  # type: ignore[attr-defined]
        assert next(events, None) is None


def test_outputs_are_announced_before_the_first_slice(task_of: TaskOf) -> None:
    events = list(ENGINE.run(task_of(slices=3)))
    first = next(i for i, event in enumerate(events) if isinstance(event, Slice))
    assert all(i < first for i, event in enumerate(events) if isinstance(event, OutputInfo))
