"""The steps after a network, alone and together: shapes whose answer is known, and three promises on random label maps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.measure import label as components

from medsynth_core.errors import ParameterError, ShapeError
from medsynth_core.imaging.postprocess import Postprocessing, closed, opened, smoothed, without_holes, without_specks

STEPS = {
    "opened": lambda labels: opened(labels, 2),
    "closed": lambda labels: closed(labels, 2),
    "smoothed": lambda labels: smoothed(labels, 3.0),
    "holes": lambda labels: without_holes(labels, 9),
    "all": Postprocessing(closing=1, opening=1, fill_holes=4, smooth=2.0).apply,
}


def disc(side: int, radius: float, center: tuple[float, float] | None = None) -> np.ndarray:
    cy, cx = center or (side / 2, side / 2)
    y, x = np.mgrid[:side, :side]
    return ((y - cy) ** 2 + (x - cx) ** 2 <= radius**2).astype(np.uint8)


def random_labels(seed: int, side: int = 24, coarse: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    blocks = rng.choice(np.array([0, 0, 1, 3, 40], np.uint16), (side // coarse, side // coarse))
    return np.where(rng.random((side, side)) < 0.08, 0, blocks.repeat(coarse, 0).repeat(coarse, 1)).astype(np.uint16)


@pytest.mark.parametrize("step", STEPS.values(), ids=list(STEPS))
@given(seed=st.integers(0, 2**32 - 1))
def test_no_label_eats_another(step: object, seed: int) -> None:
    before = random_labels(seed)
    after = step(before)  # type: ignore[operator]
    assert after.dtype == before.dtype
    both = (before > 0) & (after > 0)
    assert np.array_equal(before[both], after[both])


@pytest.mark.parametrize("step", STEPS.values(), ids=list(STEPS))
@given(seed=st.integers(0, 2**32 - 1))
def test_no_object_disappears(step: object, seed: int) -> None:
    before = random_labels(seed)
    after = step(before)  # type: ignore[operator]
    objects = components(before, background=0, connectivity=2)
    for number in range(1, objects.max() + 1):
        assert (after[objects == number] != 0).any()


@pytest.mark.parametrize("step", STEPS.values(), ids=list(STEPS))
def test_what_the_labels_are_called_does_not_matter(step: object) -> None:
    before = random_labels(5)
    swapped = np.array([0, 40, 0, 1], np.uint16)[np.minimum(before, 3)]
    swapped[before == 40] = 3
    expected = np.zeros_like(before)
    after = step(before)  # type: ignore[operator]
    for old, new in ((1, 40), (3, 1), (40, 3)):
        expected[after == old] = new
    assert np.array_equal(step(swapped), expected)  # type: ignore[operator]


@pytest.mark.parametrize("step", STEPS.values(), ids=list(STEPS))
def test_turning_the_picture_turns_the_result(step: object) -> None:
    before = random_labels(6)
    assert np.array_equal(np.rot90(step(before)), step(np.rot90(before)))  # type: ignore[operator]


@pytest.mark.parametrize("step", STEPS.values(), ids=list(STEPS))
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 2), (2, 3, 9, 9), (0, 5, 5)])
def test_any_shape_and_any_dtype(step: object, shape: tuple[int, ...]) -> None:
    for dtype in (bool, np.uint8, np.int16, np.int64):
        labels = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
        made = step(labels)  # type: ignore[operator]
        assert (made.shape, made.dtype) == (labels.shape, labels.dtype)


def test_empty_and_full_masks_stay() -> None:
    everything = Postprocessing(closing=2, opening=2, remove_specks=5, fill_holes=5, smooth=4.0)
    for labels in (np.zeros((16, 16), np.uint8), np.full((16, 16), 9, np.uint8)):
        assert np.array_equal(everything.apply(labels), labels)


def test_huge_label_values_cost_nothing_more() -> None:
    labels = disc(32, 8).astype(np.int64) * 2**40
    assert np.array_equal(smoothed(labels, 2.0) > 0, smoothed(disc(32, 8), 2.0) > 0)


def test_nothing_asked_nothing_done() -> None:
    labels = random_labels(1)
    made = Postprocessing().apply(labels)
    assert np.array_equal(made, labels)
    assert made is not labels


def test_opening_cuts_a_thin_bridge() -> None:
    two = disc(40, 7, (20, 9)) | disc(40, 7, (20, 30))
    bridged = two.copy()
    bridged[20, 9:30] = 1
    assert components(bridged, connectivity=2).max() == 1
    assert components(opened(bridged, 1), connectivity=2).max() == 2


def test_opening_leaves_a_vessel_whole() -> None:
    vessel = np.zeros((32, 32), np.uint8)
    vessel[15, 3:29] = 1
    assert np.array_equal(opened(vessel, 3), vessel)


def test_closing_fills_a_crack_but_not_the_gap_between_two_labels() -> None:
    cracked = disc(40, 12)
    cracked[:, 20] = 0
    assert closed(cracked, 2)[20, 20] == 1
    cracked[:, 21:] *= 2
    assert set(np.unique(closed(cracked, 2)[14:26, 20])) == {0}


def test_closing_brings_no_new_object() -> None:
    near = disc(40, 5, (20, 10)) | disc(40, 5, (20, 24))
    assert components(closed(near, 4), connectivity=2).max() == 1
    assert (closed(near, 4) >= near).all()


@pytest.mark.parametrize("step", [lambda m: opened(m, 3), lambda m: closed(m, 3), lambda m: smoothed(m, 4.0)])
def test_the_frame_is_no_edge(step: object) -> None:
    half = np.zeros((30, 30), np.uint8)
    half[:, :15] = 1
    assert np.array_equal(step(half), half)  # type: ignore[operator]


def test_smoothing_takes_bumps_and_notches_and_keeps_the_size() -> None:
    smooth = disc(64, 20)
    rough = smooth.copy()
    rough[31:33, 53:55] = 1
    rough[31:33, 10:15] = 0
    made = smoothed(rough, 4.0)
    assert not made[31:33, 54].any()
    assert made[31:33, 14].all()
    assert abs(int(smoothed(smooth, 4.0).sum()) - int(smooth.sum())) < 0.02 * smooth.sum()


def test_smoothing_reaches_no_further_than_it_says() -> None:
    labels = random_labels(3, side=48, coarse=12)
    changed = smoothed(labels, 2.0) != labels
    far = np.ones_like(changed)
    for axis in (0, 1):
        for step in range(1, 4):
            for sign in (-step, step):
                far &= np.roll(labels, sign, axis) == labels
    assert not changed[4:-4, 4:-4][far[4:-4, 4:-4]].any()


def test_specks_up_to_the_size_go_and_larger_ones_stay() -> None:
    labels = np.zeros((16, 16), np.uint8)
    labels[1, 1:4], labels[5, 1:5], labels[10, 1:5] = 1, 1, 2
    made = without_specks(labels, 3)
    assert np.unique(made[:3]).tolist() == [0]
    assert np.array_equal(made[3:], labels[3:])


def test_touching_specks_of_two_labels_are_counted_apart() -> None:
    labels = np.zeros((8, 8), np.uint8)
    labels[2, 2:4], labels[3, 2:6] = 1, 2
    assert np.unique(without_specks(labels, 3)).tolist() == [0, 2]


def test_a_hole_is_filled_by_size() -> None:
    labels = disc(40, 15) * 7
    labels[18:20, 18:20], labels[24:28, 20:24] = 0, 0
    made = without_holes(labels, 4)
    assert (made[18:20, 18:20] == 7).all()
    assert (made[24:28, 20:24] == 0).all()


def test_a_bay_is_no_hole_and_neither_is_a_gap_between_labels_or_at_the_frame() -> None:
    labels = np.zeros((12, 12), np.uint8)
    labels[:, :6], labels[:, 6:] = 1, 2
    labels[4, 5:7] = 0  # between two labels
    labels[0, 2] = 0  # at the frame
    labels[8, 3] = 0  # a true hole
    made = without_holes(labels, 100)
    assert (made != labels).sum() == 1
    assert made[8, 3] == 1


def test_a_label_within_a_hole_keeps_its_moat() -> None:
    labels = disc(40, 15)
    labels[17:24, 17:24], labels[19:22, 19:22] = 0, 5
    assert np.array_equal(without_holes(labels, 1000), labels)


def test_the_place_of_a_speck_inside_an_object_is_filled() -> None:
    labels = disc(40, 15)
    labels[19:21, 19:21] = 5
    assert np.array_equal(Postprocessing(remove_specks=4, fill_holes=4).apply(labels), disc(40, 15))


def test_a_step_on_a_volume_is_the_step_on_each_slice() -> None:
    volume = np.stack([random_labels(seed) for seed in range(3)])
    for step in STEPS.values():
        assert np.array_equal(step(volume), np.stack([step(plane) for plane in volume]))


@pytest.mark.parametrize("name", ["opening", "closing", "fill_holes", "remove_specks", "smooth"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_a_wish_that_makes_no_sense_is_refused(name: str, value: float) -> None:
    with pytest.raises(ParameterError, match=name):
        Postprocessing(**{name: value})


def test_a_row_of_pixels_is_no_label_map() -> None:
    with pytest.raises(ShapeError):
        Postprocessing(smooth=1).apply(np.zeros(5, np.uint8))
