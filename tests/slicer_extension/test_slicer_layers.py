"""Segments are read out of their label maps as resampling would give them, and a large volume in less than a frame."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import slicer
from MedSynthLib import applying, conversion, images, layers
from MedSynthLib.review import sent
from MedSynthLib.rewriting import rewriting
from MedSynthLib.segments import new_segmentation

from medsynth_core.volume import Volume
from tests.slicer_extension.main_thread import MainThread
from tests.slicer_extension.test_slicer_conversion import oblique, put_under, volume_node
from tests.slicer_extension.test_slicer_fingerprint import LABELS, LIMIT_S, painted
from tests.slicer_extension.test_slicer_review import Case, Desk

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


def turned(angle: float) -> np.ndarray:
    """A matrix that turns the voxels (i, j) about the first."""
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return turn


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
        lambda: volume_node(oblique() @ turned(0.4), np.zeros((6, 20, 24), np.uint8)),
        lambda: volume_node(oblique() @ np.diag([0.4, 2.5, 0.7, 1]), np.zeros((5, 7, 50), np.uint8)),
    ],
    ids=["the same", "begun elsewhere", "far away", "a part", "more", "between the voxels", "other voxels", "turned", "finer"],
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


def test_a_lesion_in_such_a_volume_is_brought_onto_other_voxels_in_less_than_50_ms() -> None:
    mask, grid = painted((64, 512, 512))
    ids = list(mask.GetSegmentation().GetSegmentIDs())
    for segment in ids[1:]:
        mask.GetSegmentation().RemoveSegment(segment)
    labels = np.zeros((1, 64, 512, 512), np.uint8)
    labels[0, 10:50, 100:300, 150:330] = 1
    conversion.fill_segments(mask, Volume(labels, conversion.affine_of(grid)), {1: ids[0]})
    wanted, took = volume_node(conversion.affine_of(grid) @ turned(0.1), np.zeros((64, 512, 512), np.uint8)), []
    for _ in range(3):
        began = time.thread_time()
        read = conversion.labels_of(mask, wanted, {ids[0]: 1}).array
        took.append(time.thread_time() - began)
    assert int(read.sum()) == pytest.approx(int(labels.sum()), rel=0.01)
    assert min(took) < LIMIT_S, took


def refined(grid: Any, labels: np.ndarray) -> Any:
    """A segmentation as a run makes it: all segments in one label map."""
    node = new_segmentation(grid, LABELS, "refined")
    ids = node.GetSegmentation().GetSegmentIDs()
    conversion.fill_segments(node, Volume(labels, conversion.affine_of(grid)), dict(enumerate(ids, 1)))
    for number, segment in enumerate(ids, 1):
        assert node.GetSegmentation().GetSegment(segment).GetLabelValue() == number
    return node


def in_one_go(source: Any, parts: dict[str, str], mask: Any, grid: Any, k: int | None) -> None:
    """As Apply writes, without turns between."""
    work = rewriting(source, parts, mask, conversion.affine_of(grid), SHAPE, k)
    while True:
        try:
            next(work)
        except StopIteration as ready:
            ready.value()
            return


def by_slicer(source: Any, parts: dict[str, str], mask: Any, grid: Any, k: int | None) -> None:
    """As Slicer's own logic writes one segment after the other."""
    for segment, part in parts.items():
        fresh = conversion.labels_of(source, grid, {part: 1})
        if k is not None:
            kept = conversion.labels_of(mask, grid, {segment: 1})
            kept.array[:, k] = fresh.array[:, k]
            fresh = kept
        conversion.fill_segments(mask, fresh, {1: segment})


def result(seed: int, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, len(LABELS) + 1, (1, *shape), np.uint8)


@pytest.mark.parametrize("k", [None, 2])
@pytest.mark.parametrize("sent_parts", [4, 2, 1])
@pytest.mark.parametrize("free", [True, False], ids=["others out of the way", "others in the way"])
def test_what_is_written_at_once_is_what_slicer_would_write(
    sent_parts: int, k: int | None, free: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    for way in ("in place", "in a map of its own", "by Slicer"):
        with monkeypatch.context() as patch:
            if way == "in a map of its own":
                patch.setattr(layers, "rewrite", lambda *_, **__: False)
            mask, grid = painted(SHAPE)
            ids = list(mask.GetSegmentation().GetSegmentIDs())
            fresh = np.where(result(3) <= sent_parts, result(3), 0).astype(np.uint8)
            if free:
                others = conversion.labels_of(mask, grid, values_of(mask)).array > sent_parts
                fresh[others] = 0
            source = refined(grid, fresh)
            parts = dict(zip(ids[:sent_parts], source.GetSegmentation().GetSegmentIDs(), strict=False))
            write = by_slicer if way == "by Slicer" else in_one_go
            write(source, parts, mask, grid, k)
            read.append([conversion.labels_of(mask, grid, {segment: 1}).array.tolist() for segment in ids])
    assert read[0] == read[2]
    assert read[1] == read[2]


@pytest.mark.parametrize("k", [None, 2])
def test_what_lies_over_each_other_in_the_outline_does_so_afterwards(k: int | None) -> None:
    read = []
    for write in (in_one_go, by_slicer):
        mask, grid = painted(SHAPE)
        ids, source = list(mask.GetSegmentation().GetSegmentIDs()), refined(grid, result(4))
        parts = dict(zip(ids, source.GetSegmentation().GetSegmentIDs(), strict=True))
        over = np.zeros((1, *SHAPE), np.uint8)
        over[0, 1:3, 2:9, 2:9] = 1
        conversion.fill_segments(source, Volume(over, conversion.affine_of(grid)), {1: parts[ids[1]]})
        write(source, parts, mask, grid, k)
        read.append([conversion.labels_of(mask, grid, {segment: 1}).array.tolist() for segment in ids])
    assert read[0] == read[1]


def applied(desk: Desk) -> list[float]:
    """How long each turn of an Apply worked, in seconds."""
    main, began = MainThread(), time.thread_time()
    desk.review.apply()
    main.work_s.append(time.thread_time() - began)
    main.until(lambda: not desk.review.busy)
    main.turn()  # in which what was judged is freed
    return main.work_s


@pytest.mark.parametrize("case", ["one label map", "two label maps", "others in the way"])
def test_no_turn_of_an_apply_of_512_by_512_by_64_takes_50_ms_and_undo_brings_all_back(case: str) -> None:
    mask, grid = painted((64, 512, 512))
    ids, desk = list(mask.GetSegmentation().GetSegmentIDs()), Desk()
    if case == "two label maps":
        over = np.zeros((1, 64, 512, 512), np.uint8)
        over[0, 10:40, 100:300, 100:300] = 1
        conversion.fill_segments(mask, Volume(over, conversion.affine_of(grid)), {1: ids[1]})
    values = {ids[0]: 1} if case == "others in the way" else values_of(mask)
    before = conversion.labels_of(mask, grid, values).array
    others = conversion.labels_of(mask, grid, {ids[2]: 1}).array
    longest = []
    for seed in range(3):
        fresh = np.roll(before, 1 + seed, axis=2)
        desk.review.offer(refined(grid, fresh), sent(mask, values, grid, None))
        longest.append(max(applied(desk)))
        assert np.array_equal(conversion.labels_of(mask, grid, values).array, fresh)
        if ids[2] not in values:
            assert np.array_equal(conversion.labels_of(mask, grid, {ids[2]: 1}).array, others)
    assert min(longest) < LIMIT_S, longest
    for _ in range(3):
        desk.review.undo()
    assert np.array_equal(conversion.labels_of(mask, grid, values).array, before)


def test_who_paints_while_it_is_applied_is_overwritten_but_told_and_undo_brings_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "TURN_S", 0.0)  # each turn does the least it can
    case, desk = Case(), Desk()
    desk.review.offer(case.preview, case.sent)
    desk.review.apply()
    assert desk.review.busy
    assert np.array_equal(case.read(), case.rough)  # nobody sees half of it
    assert not desk.applyButton.enabled
    MainThread().turn()
    painted_now = np.roll(case.rough, 2, axis=3)
    case.write(painted_now)
    MainThread().until(lambda: not desk.review.busy)
    assert np.array_equal(case.read(), case.fine)
    assert "replaced" in desk.said
    desk.review.undo()
    assert np.array_equal(case.read(), painted_now)


@pytest.mark.parametrize("what", ["scene", "segment", "outline"])
def test_what_is_gone_while_it_is_applied_ends_it_with_a_word_or_in_silence(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "TURN_S", 0.0)
    case, desk = Case(), Desk()
    desk.review.offer(case.preview, case.sent)
    desk.review.apply()
    inside = case.mask.GetSegmentation()
    match what:
        case "scene":
            desk.review.forget()
            slicer.mrmlScene.Clear(0)
        case "segment":
            inside.RemoveSegment(inside.GetNthSegmentID(0))
        case "outline":
            slicer.mrmlScene.RemoveNode(case.preview)
            desk.review.show()
    MainThread().until(lambda: not desk.review.busy)
    MainThread().turn()
    assert ("gone" in desk.said or "removed" in desk.said) == (what == "segment")
    if what == "outline":
        assert np.array_equal(case.read(), case.rough)


def test_a_segment_that_moved_out_of_a_shared_map_can_be_painted_on() -> None:
    mask, grid = painted(SHAPE)
    ids, desk = list(mask.GetSegmentation().GetSegmentIDs()), Desk()
    values = {ids[0]: 1}
    fresh = np.zeros((1, *SHAPE), np.uint8)
    fresh[0, 1:3, 2:9, 2:9] = 1
    desk.review.offer(refined(grid, fresh), sent(mask, values, grid, None))
    heard: list[str] = []
    inside = mask.GetSegmentation()
    inside.AddObserver(slicer.vtkSegmentation.SourceRepresentationModified, lambda *_: heard.append("changed"))
    desk.review.apply()
    assert heard
    heard.clear()
    conversion.fill_segments(mask, Volume(np.roll(fresh, 1, axis=3), conversion.affine_of(grid)), {1: ids[0]})
    assert heard
    assert np.array_equal(conversion.labels_of(mask, grid, values).array, np.roll(fresh, 1, axis=3))
    voxels = images.voxels(inside.GetSegment(ids[1]).GetRepresentation(conversion.BINARY))
    left = {int(inside.GetSegment(segment).GetLabelValue()) for segment in ids[1:]}
    assert set(np.unique(voxels)) <= {0, *left} | {int(inside.GetSegment(ids[0]).GetLabelValue())}
