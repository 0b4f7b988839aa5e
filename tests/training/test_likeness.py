"""What images are known by: groups of look-alikes carry over from block to block, in memory that grows with their number."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from medsynth_core.training.likeness import ROWS, THUMBNAIL, alike, alike_mirrored, checksum_of, leaders, look_of, mirrored


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


def symmetric(rows: np.ndarray) -> np.ndarray:
    return unit(rows + mirrored(rows))


def test_pairs_that_are_alike_once_mirrored_are_found_across_blocks() -> None:
    thumbnails = chained(ROWS + 100, [(5, 9)])
    thumbnails[[20, ROWS + 7]] = mirrored(thumbnails[[3, 4]])
    found = {(int(a), int(b)) for i, j, _ in alike_mirrored(thumbnails) for a, b in zip(i, j, strict=True)}
    assert found == {(3, 20), (4, ROWS + 7)}
    leader = leaders(thumbnails)
    assert leader[[9, 20, ROWS + 7]].tolist() == [5, 3, 4]
    assert leaders(thumbnails, ways=(alike,))[[9, 20]].tolist() == [5, 20]


def test_being_alike_carries_over_from_mirrored_ones_to_others() -> None:
    thumbnails = chained(40, [(30, 7)])  # 7 is like 30, which is 12 mirrored
    thumbnails[12] = mirrored(thumbnails[30:31])[0]
    assert leaders(thumbnails)[[7, 12, 30]].tolist() == [7, 7, 7]


def test_what_is_symmetric_is_alike_as_it_is_and_no_mirror_image() -> None:
    thumbnails = symmetric(chained(30, [(1, 2)]))
    assert [len(i) for i, _, _ in alike_mirrored(thumbnails)] == [0]
    assert [(i.tolist(), j.tolist()) for i, j, _ in alike(thumbnails)] == [([1], [2])]


def test_empty_images_are_like_none() -> None:
    assert leaders(np.zeros((5, THUMBNAIL**2), np.float32)).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("shape", [(24, 24), (16, 24, 24)])
def test_a_thumbnail_is_mirrored_along_x(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    assert (mirrored(image.reshape(1, -1))[0].reshape(shape) == image[..., ::-1]).all()


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
