"""Instances as maps and back: geometry under every turn, and no nucleus lost on the way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsynth_core.evaluation.instances import panoptic_quality
from medsynth_core.imaging.nuclei_maps import (
    areas_px,
    doubled,
    edges_of,
    halved,
    instances_of,
    maps_of,
    renumbered,
    turned,
    turned_maps,
)
from tests.engines.nuclei.drawn import SIDE, ellipses

turns = st.tuples(st.booleans(), st.integers(-1, 5))


@given(seed=st.integers(0, 10**6), turn=turns)
@settings(max_examples=40)
def test_the_maps_of_a_turned_field_are_its_turned_maps(seed: int, turn: tuple[bool, int]) -> None:
    instances = ellipses(seed, 14, (64, 80))
    expected = maps_of(np.ascontiguousarray(turned(instances, *turn)))
    np.testing.assert_allclose(turned_maps(maps_of(instances), *turn), expected, atol=1e-5)


@given(seed=st.integers(0, 10**6), turn=turns)
@settings(max_examples=25)
def test_touching_instances_survive_the_round_trip_in_every_orientation(seed: int, turn: tuple[bool, int]) -> None:
    instances = np.ascontiguousarray(turned(ellipses(seed, 20), *turn))
    found = instances_of(maps_of(instances))
    assert panoptic_quality(found, _whole(instances)).value > 0.95


@given(seed=st.integers(0, 10**6))
@settings(max_examples=25)
def test_half_the_resolution_is_enough(seed: int) -> None:
    instances = ellipses(seed, 20)
    assert panoptic_quality(instances_of(doubled(halved(maps_of(instances)))), _whole(instances)).value > 0.88


def _whole(instances: np.ndarray) -> np.ndarray:
    """Return the field without slivers at its rim, which are below the least area."""
    counted = np.bincount(instances.ravel())
    return np.where(counted[instances] >= 30, instances, 0)


def test_noise_does_not_split_nuclei() -> None:
    rng = np.random.default_rng(1)
    instances = ellipses(5, 20)
    noisy = maps_of(instances) + rng.normal(0, 0.08, (3, SIDE, SIDE)).astype(np.float32)
    assert panoptic_quality(instances_of(noisy), _whole(instances)).value > 0.85


def test_offsets_rise_to_the_right_and_downwards_and_end_at_one() -> None:
    instances = np.zeros((12, 20), int)
    instances[2:9, 3:14] = 7
    semantic, h, v = maps_of(instances)
    assert set(np.unique(semantic)) == {-1, 1}
    inside = instances == 7
    assert (h[inside].min(), h[inside].max(), v[inside].min(), v[inside].max()) == (-1, 1, -1, 1)
    assert (np.diff(h[5, 3:14]) > 0).all()
    assert (np.diff(v[2:9, 5]) > 0).all()
    assert not h[~inside].any()
    assert h[5, 8] == v[5, 8] == 0


def test_an_instance_of_one_pixel_or_one_column_has_no_side_to_lie_on() -> None:
    instances = np.zeros((8, 8), int)
    instances[1, 1] = 1
    instances[3:7, 5] = 2
    maps = maps_of(instances)
    assert np.isfinite(maps).all()
    assert maps[1, 1, 1] == maps[2, 1, 1] == 0
    assert not maps[1, 3:7, 5].any()
    assert maps[2, 6, 5] == 1


def test_an_empty_field_and_one_that_is_a_single_nucleus_are_fields_too() -> None:
    empty = np.zeros((16, 16), int)
    assert not instances_of(maps_of(empty)).any()
    assert instances_of(maps_of(empty + 3)).tolist() == (empty + 1).tolist()


def test_a_small_nucleus_alone_is_found() -> None:
    instances = np.zeros((16, 16), int)
    instances[4:8, 4:8] = 1
    assert panoptic_quality(instances_of(maps_of(instances)), instances).value == 1


def test_numbers_may_be_large_and_have_gaps() -> None:
    instances = np.zeros((10, 10), np.uint16)
    instances[1:5, 1:5], instances[6:9, 6:9] = 65535, 40
    np.testing.assert_array_equal(maps_of(instances), maps_of(renumbered(instances)))
    assert np.unique(renumbered(instances, 5)).tolist() == [0, 5, 6]
    assert areas_px(instances).tolist() == [9, 16]


def test_an_edge_is_where_a_nucleus_ends() -> None:
    instances = np.zeros((6, 8), int)
    instances[1:5, 1:4], instances[1:5, 4:7] = 1, 2
    edge = edges_of(instances)
    assert edge.sum() == 24 - 4
    assert not edge[2, 2]
    assert edge[2, 3]
    assert edge[2, 4]


@pytest.mark.parametrize("quarters", [-4, 0, 4])
def test_four_quarters_are_none(quarters: int) -> None:
    maps = maps_of(ellipses(3, 8))
    np.testing.assert_array_equal(turned_maps(maps, False, quarters), maps)
