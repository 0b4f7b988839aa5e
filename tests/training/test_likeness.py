"""What images are known by: groups of look-alikes carry over from block to block, in memory that grows with their number."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from medsynth_core.training.likeness import ROWS, alike, checksum_of, leaders, look_of


def unit(rows: np.ndarray) -> np.ndarray:
    centered = rows - rows.mean(axis=1, keepdims=True)
    return (centered / np.linalg.norm(centered, axis=1, keepdims=True)).astype(np.float32)


def chained(count: int, links: list[tuple[int, int]]) -> np.ndarray:
    """Thumbnails of which only those linked are alike, by halves that they share."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(count, 576))
    for first, second in links:
        rows[second] = rows[first] + rng.normal(scale=0.05, size=576)
    return unit(rows)


def test_being_alike_carries_over_blocks_in_any_order() -> None:
    count = 2 * ROWS + 50
    leader = leaders(chained(count, [(1040, 1000), (1000, 700), (700, 3), (20, 600)]))
    expected = np.arange(count)
    expected[[700, 1000, 1040]] = 3
    expected[600] = 20
    assert (leader == expected).all()


def test_each_pair_is_found_once() -> None:
    thumbnails = chained(ROWS + 100, [(5, 9), (5, ROWS + 7)])
    found = {(int(a), int(b)) for i, j, _ in alike(thumbnails) for a, b in zip(i, j, strict=True)}
    assert found == {(5, 9), (5, ROWS + 7), (9, ROWS + 7)}


def test_thousands_do_not_need_all_against_all_in_memory() -> None:
    count = 6000
    thumbnails = chained(count, [(1, 5000)])
    tracemalloc.start()
    leader = leaders(thumbnails)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert leader[5000] == 1
    assert peak < count * count, "bytes: a quarter of what one matrix of all correlations takes"


@pytest.mark.parametrize("shape", [(32, 32), (16, 24, 24)])
def test_a_look_keeps_through_light_and_contrast_and_tells_others_apart(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    one, other = (np.cumsum(np.cumsum(rng.normal(size=shape), axis=0), axis=1).astype(np.float32) for _ in range(2))
    assert look_of(one) == look_of(one * 3 + 50) < 2**64
    assert (look_of(one) ^ look_of(other)).bit_count() > 10


def test_the_same_bytes_in_another_shape_are_another_image() -> None:
    array = np.arange(12, dtype=np.uint8)
    assert checksum_of(array.reshape(3, 4)) != checksum_of(array.reshape(4, 3))
    assert checksum_of(array.reshape(3, 4)) == checksum_of(np.asfortranarray(array.reshape(3, 4)))
