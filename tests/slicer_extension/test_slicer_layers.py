"""Segments are read out of their label maps as resampling would give them, and a large volume in less than a frame."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from MedSynthLib import conversion, layers
from MedSynthLib.review import sent
from MedSynthLib.segments import new_segmentation

from medsynth_core.volume import Volume
from tests.slicer_extension.test_slicer_conversion import oblique, put_under, volume_node
from tests.slicer_extension.test_slicer_fingerprint import LABELS, LIMIT_S, painted
from tests.slicer_extension.test_slicer_review import Desk

SHAPE = (4, 12, 16)


def resampled(mask: Any, grid: Any, values: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """What Slicer's own resampling gives."""
    with monkeypatch.context() as patch:
        patch.setattr(layers, "lay", lambda *_: False)
        return conversion.labels_of(mask, grid, values).array


def values_of(mask: Any) -> dict[str, int]:
    return {segment: number for number, segment in enumerate(mask.GetSegmentation().GetSegmentIDs(), 1)}


def moved(by: tuple[float, float, float], shape: tuple[int, int, int] = SHAPE) -> Any:
    """A volume on the voxels of `oblique`, begun so many voxels (i, j, k) further."""
    affine = oblique().copy()
    affine[:3, 3] += affine[:3, :3] @ by
    return volume_node(affine, np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    "grid",
    [
        lambda: moved((0, 0, 0)),
        lambda: moved((3, -2, 1)),
        lambda: moved((100, 0, 0)),
        lambda: moved((2, 2, 1), (2, 3, 5)),
        lambda: moved((-5, -5, -5), (20, 30, 40)),
        lambda: moved((0.3, 0, 0)),
        lambda: volume_node(np.diag([2.0, 1.5, 1, 1]), np.zeros(SHAPE, np.uint8)),
    ],
    ids=["the same", "begun elsewhere", "far away", "a part", "more", "between the voxels", "other voxels"],
)
def test_on_any_grid_the_labels_are_those_of_resampling(grid: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    mask, _ = painted(SHAPE)
    wanted = grid()
    read = conversion.labels_of(mask, wanted, values_of(mask)).array
    assert np.array_equal(read, resampled(mask, wanted, values_of(mask), monkeypatch))


def test_under_a_transform_they_are_too(monkeypatch: pytest.MonkeyPatch) -> None:
    mask, grid = painted(SHAPE)
    values = values_of(mask)
    for node in (mask, grid):
        put_under(node)
        assert np.array_equal(conversion.labels_of(mask, grid, values).array, resampled(mask, grid, values, monkeypatch))


def test_of_segments_that_overlap_the_later_lies_on_top(monkeypatch: pytest.MonkeyPatch) -> None:
    mask, grid = painted(SHAPE)
    ids = list(mask.GetSegmentation().GetSegmentIDs())
    over = np.zeros((1, *SHAPE), np.uint8)
    over[0, 1:3, 2:9, 2:9] = 1
    conversion.fill_segments(mask, Volume(over, conversion.affine_of(grid)), {1: ids[1]})
    for order in (ids, ids[::-1]):
        values = {segment: number for number, segment in enumerate(order, 1)}
        read = conversion.labels_of(mask, grid, values).array
        assert np.array_equal(read, resampled(mask, grid, values, monkeypatch))
    assert (conversion.labels_of(mask, grid, {ids[1]: 7}).array == 7 * over).all()


def test_a_volume_of_512_by_512_by_64_is_gathered_in_less_than_50_ms() -> None:
    mask, grid = painted((64, 512, 512))
    took = []
    for _ in range(3):
        began = time.thread_time()
        conversion.labels_of(mask, grid, values_of(mask))
        took.append(time.thread_time() - began)
    assert min(took) < LIMIT_S


def refined(grid: Any, labels: np.ndarray) -> Any:
    """A segmentation as a run makes it: all segments in one label map."""
    node = new_segmentation(grid, LABELS, "refined")
    ids = node.GetSegmentation().GetSegmentIDs()
    conversion.fill_segments(node, Volume(labels, conversion.affine_of(grid)), dict(enumerate(ids, 1)))
    for number, segment in enumerate(ids, 1):
        assert node.GetSegmentation().GetSegment(segment).GetLabelValue() == number
    return node


def result(seed: int, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, len(LABELS) + 1, (1, *shape), np.uint8)


@pytest.mark.parametrize("k", [None, 2])
@pytest.mark.parametrize("sent_parts", [4, 2, 1])
@pytest.mark.parametrize("free", [True, False], ids=["others out of the way", "others in the way"])
def test_what_is_written_at_once_is_what_slicer_would_write(
    sent_parts: int, k: int | None, free: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    for at_once in (True, False):
        with monkeypatch.context() as patch:
            if not at_once:
                patch.setattr(layers, "rewrite", lambda *_, **__: False)
            mask, grid = painted(SHAPE)
            ids = list(mask.GetSegmentation().GetSegmentIDs())
            fresh = np.where(result(3) <= sent_parts, result(3), 0).astype(np.uint8)
            if free:
                others = conversion.labels_of(mask, grid, values_of(mask)).array > sent_parts
                fresh[others] = 0
            source = refined(grid, fresh)
            parts = dict(zip(ids[:sent_parts], source.GetSegmentation().GetSegmentIDs(), strict=False))
            conversion.copy_segments(source, parts, mask, conversion.affine_of(grid), SHAPE, k)
            read.append([conversion.labels_of(mask, grid, {segment: 1}).array.tolist() for segment in ids])
    assert read[0] == read[1]


def test_apply_of_512_by_512_by_64_takes_less_than_50_ms_and_undo_brings_all_back() -> None:
    mask, grid = painted((64, 512, 512))
    values, desk = values_of(mask), Desk()
    before = conversion.labels_of(mask, grid, values).array
    took = []
    for seed in range(2):
        fresh = np.roll(before, 1 + seed, axis=2)
        desk.review.offer(refined(grid, fresh), sent(mask, values, grid, None))
        began = time.thread_time()
        desk.review.apply()
        took.append(time.thread_time() - began)
        assert np.array_equal(conversion.labels_of(mask, grid, values).array, fresh)
    assert min(took) < LIMIT_S, took
    desk.review.undo()
    desk.review.undo()
    assert np.array_equal(conversion.labels_of(mask, grid, values).array, before)
