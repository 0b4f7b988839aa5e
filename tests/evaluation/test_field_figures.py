"""Figures of fields of nuclei: what is counted, how far apart sets are, and halves that keep groups together."""

from __future__ import annotations

import numpy as np
import pytest

from medsynth_core.errors import InputError
from medsynth_core.evaluation.field_figures import FIGURES, FieldFigures, distance, halves, measure, split_half


def disks(radius: int, centers: list[tuple[int, int]], side: int = 128) -> np.ndarray:
    """A field of disks, numbered with gaps."""
    y, x = np.indices((side, side))
    field = np.zeros((side, side), np.uint16)
    for number, (cy, cx) in enumerate(centers, start=1):
        field[(y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = 3 * number
    return field


def figures(radius: int, count: int = 4) -> FieldFigures:
    return measure(disks(radius, [(30, 20 + 25 * i) for i in range(count)]))


def test_disks_are_counted_and_measured() -> None:
    found = measure(disks(6, [(30, 30), (30, 50), (90, 90)]))
    assert found.count.tolist() == [12]  # three in a quarter of 256²
    assert found.area_px == pytest.approx(np.pi * 36, rel=0.03)
    assert found.eccentricity == pytest.approx(0, abs=1e-6)
    assert found.nearest_px == pytest.approx([20, 20, np.hypot(60, 40)], abs=1e-6)


def test_a_long_nucleus_is_eccentric_and_a_sliver_is_none() -> None:
    field = np.zeros((256, 256), np.int32)
    field[10:14, 10:60], field[200, 200:205] = 1, 2
    found = measure(field)
    assert found.count.tolist() == [1]
    assert found.eccentricity[0] > 0.99
    assert found.nearest_px.size == 0


def test_an_empty_field_counts_nought_and_has_nothing_else() -> None:
    found = measure(np.zeros((256, 256), np.int32))
    assert found.count.tolist() == [0]
    assert np.isnan(distance("area", [found], [figures(6)]))
    assert distance("count per 256²", [found], [figures(6)]) == 16


def test_equal_sets_are_at_no_distance_and_larger_nuclei_differ_by_their_area() -> None:
    small, large = [figures(5)] * 3, [figures(8)] * 2
    assert all(distance(name, small, small) == 0 for name in FIGURES)
    grown = large[0].area_px[0] - small[0].area_px[0]
    assert distance("area", small, large) == pytest.approx(grown)
    assert distance("nearest-neighbor distance", small, large) == pytest.approx(0, abs=1e-6)


def test_halves_keep_groups_together_and_are_about_equal() -> None:
    groups = [name for name, count in zip("abcdef", (7, 3, 2, 2, 1, 1), strict=True) for _ in range(count)]
    seen = set()
    for seed in range(20):
        first = halves(groups, np.random.default_rng(seed))
        assert all(len({bool(first[i]) for i, g in enumerate(groups) if g == name}) == 1 for name in set(groups))
        assert 2 <= first.sum() <= 14
        seen.add(first.tobytes())
    assert len(seen) > 3


def test_halves_by_group_are_farther_apart_where_groups_differ() -> None:
    fields = [figures(radius) for radius in (4, 4, 4, 6, 6, 6, 8, 8, 8, 10, 10, 10)]
    by_group = split_half("area", fields, [f"slide {i // 3}" for i in range(12)])
    single = split_half("area", fields, [str(i) for i in range(12)])
    assert by_group > 1.5 * single > 0


def test_the_floor_is_the_same_again_and_one_group_has_none() -> None:
    fields = [figures(radius) for radius in (4, 5, 6, 7)]
    groups = ["a", "b", "c", "d"]
    assert split_half("area", fields, groups) == split_half("area", fields, groups)
    with pytest.raises(InputError, match="1 group"):
        split_half("area", fields, ["a"] * 4)
