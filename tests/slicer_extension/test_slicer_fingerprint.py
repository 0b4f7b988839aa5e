"""The fingerprint of painted segments: sees every voxel, nothing else, and is quick."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import slicer
from MedSynthLib import conversion
from MedSynthLib.segments import new_segmentation

from medsynth_core.protocol import LabelInfo
from medsynth_core.volume import Volume
from tests.slicer_extension.test_slicer_conversion import oblique, volume_node

LABELS = tuple(LabelInfo(n, f"part {n}", "#f28e2b") for n in range(1, 5))
LIMIT_S = 0.05


def painted(shape: tuple[int, int, int]) -> tuple[Any, Any]:
    grid = volume_node(oblique(), np.zeros(shape, np.uint8))
    mask = new_segmentation(grid, LABELS, "mask")
    labels = np.zeros((1, *shape), np.uint8)
    labels[0, :, 1:-1, 1:-1] = 1 + np.arange(shape[1] - 2)[:, None] % len(LABELS)
    ids = mask.GetSegmentation().GetSegmentIDs()
    conversion.fill_segments(mask, Volume(labels, conversion.affine_of(grid)), dict(enumerate(ids, 1)))
    return mask, grid


def test_it_takes_less_than_50_ms_for_a_mask_of_512_by_512_by_64() -> None:
    mask, _ = painted((64, 512, 512))
    took = []
    for _ in range(3):
        began = time.thread_time()
        conversion.fingerprint(mask)
        took.append(time.thread_time() - began)
    assert min(took) < LIMIT_S


def test_a_single_voxel_counts_and_the_same_again_does_not() -> None:
    mask, grid = painted((4, 12, 16))
    ids = mask.GetSegmentation().GetSegmentIDs()
    before = conversion.fingerprint(mask)
    labels = conversion.labels_of(mask, grid, {ids[0]: 1})
    conversion.fill_segments(mask, labels, {1: ids[0]})
    assert conversion.fingerprint(mask) == before
    labels.array[0, 3, 0, 0] = 1
    conversion.fill_segments(mask, labels, {1: ids[0]})
    assert conversion.fingerprint(mask) != before
    labels.array[0, 3, 0, 0] = 0
    conversion.fill_segments(mask, labels, {1: ids[0]})
    assert conversion.fingerprint(mask) == before


def test_the_same_shape_elsewhere_or_in_another_segment_is_another_one() -> None:
    found = set()
    for x, n in ((1, 0), (2, 0), (1, 1)):
        grid = volume_node(oblique(), np.zeros((4, 12, 16), np.uint8))
        mask = new_segmentation(grid, LABELS[:2], "mask")
        labels = np.zeros((1, 4, 12, 16), np.uint8)
        labels[0, 1, 3:6, x : x + 4] = 1
        conversion.fill_segments(mask, Volume(labels, conversion.affine_of(grid)), {1: mask.GetSegmentation().GetNthSegmentID(n)})
        found.add(conversion.fingerprint(mask))
    assert len(found) == 3


def test_an_empty_segmentation_has_one_too() -> None:
    grid = volume_node(oblique(), np.zeros((2, 4, 4), np.uint8))
    mask = new_segmentation(grid, LABELS, "mask")
    assert conversion.fingerprint(mask) == conversion.fingerprint(mask)
    assert conversion.fingerprint(slicer.vtkMRMLSegmentationNode()) == 0
