"""What *Nuclei + histology* works out without a viewer: blobs and their numbers, the request, the chips."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from medsynth_core.engines.nuclei.engine import ENGINE
from medsynth_core.lamp import Lamp
from medsynth_core.protocol import ModelCard
from medsynth_core.tumor_request import Range
from napari_medsynth.nuclei_blobs import Census, census, fresh_blobs, separated
from napari_medsynth.nuclei_preflight import check_new, check_shapes
from napari_medsynth.nuclei_request import NucleiRequest, Reference, Source

CARD = ModelCard(
    "nuclei-he",
    "Nuclei",
    "nuclei",
    3,
    (256, 256),
    (),
    "none",
    "none",
    fit="tile",
    figures={"density_p5": 5.0, "density_p50": 20.0, "density_p95": 60.0, "area_px_p5": 100.0, "area_px_p95": 700.0},
)
fields = arrays.arrays(np.uint16, (9, 11), elements=st.integers(0, 3))


def pieces(numbers: np.ndarray) -> list[frozenset[tuple[int, int]]]:
    """Return the blobs of a plane as sets of places, found by walking: an implementation of its own."""
    left = {(int(y), int(x)) for y, x in np.argwhere(numbers)}
    found = []
    while left:
        piece = [left.pop()]
        for y, x in piece:
            beside = [(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
            near = [p for p in beside if p in left and numbers[p] == numbers[y, x]]
            left -= set(near)
            piece += near
        found.append(frozenset(piece))
    return found


@given(fields)
def test_after_parting_each_blob_has_one_number_that_no_other_has(field: np.ndarray) -> None:
    parted = separated(field)
    found = pieces(field)
    assert [len({int(parted[place]) for place in piece}) for piece in found] == [1] * len(found)
    assert len({int(parted[next(iter(piece))]) for piece in found}) == len(found)
    assert np.array_equal(parted > 0, field > 0)
    assert census(field).count == len(found)
    assert census(parted).shared == 0


@given(fields)
def test_parting_keeps_a_number_for_the_largest_of_those_that_share_it(field: np.ndarray) -> None:
    parted = separated(field)
    for number in set(np.unique(field)) - {0}:
        sizes = [len(piece) for piece in pieces(field) if field[next(iter(piece))] == number]
        assert np.count_nonzero(parted == number) == max(sizes)


def test_numbers_that_would_not_fit_sixteen_bit_are_counted_anew() -> None:
    field = np.zeros((5, 9), np.int64)
    field[0, 0], field[4, 4], field[0, 8] = 65535, 65535, 100_000
    assert sorted(np.unique(separated(field))) == [0, 1, 2, 3]


def test_the_census_counts_as_the_engine_does() -> None:
    field = np.zeros((128, 128), np.uint16)
    field[10:20, 10:20], field[50:60, 50:70], field[100, 100] = 1, 2, 3
    counted = census(field)
    assert (counted.count, counted.density, counted.specks, counted.largest_px) == (3, 12.0, 1, 200)
    assert counted.mean_area_px == pytest.approx(301 / 3)
    assert census(np.zeros((4, 4), np.uint8)) == Census()


def test_only_a_blob_that_touches_nothing_old_is_fresh() -> None:
    before = np.zeros((20, 20), np.uint8)
    before[2:5, 2:5] = 1
    grown = before.copy()
    grown[5:8, 2:5] = 1
    assert fresh_blobs(before, grown, 1) == []
    apart = grown.copy()
    apart[12:15, 12:15] = 1
    (places,) = fresh_blobs(before, apart, 1)
    assert {(int(y), int(x)) for y, x in zip(*places, strict=True)} == {(y, x) for y in range(12, 15) for x in range(12, 15)}
    cut = before.copy()
    cut[3] = 0
    assert fresh_blobs(before, cut, 1) == []  # an eraser parts a nucleus, it makes no new one


@pytest.mark.parametrize(
    "request_", [NucleiRequest(), NucleiRequest(Source.COMPLETE, 30, 250), NucleiRequest(Source.KEEP, 1, 2, 300, 400)]
)
def test_a_request_is_remembered_whole_and_the_engine_takes_what_it_is_sent(request_: NucleiRequest) -> None:
    assert NucleiRequest.of(request_.remembered()) == request_
    ENGINE.read_params(request_.params())


def test_given_nuclei_have_their_own_grid_and_kept_ones_their_own_number() -> None:
    assert set(NucleiRequest(Source.COMPLETE, 30, 250, 300, 300).params()) == {"given", "density", "size"}
    assert NucleiRequest(Source.KEEP, 30, 250).params() == {"given": "keep"}


def test_the_reference_is_read_off_the_card_and_may_be_missing() -> None:
    assert Reference.of(CARD) == Reference(Range(5.0, 60.0), 20.0, Range(100.0, 700.0), None)
    assert Reference.of(None) == Reference()


def test_what_is_beyond_the_reference_is_amber_and_what_is_drawn_is_not() -> None:
    reference = Reference.of(CARD)
    assert all(chip.lamp is Lamp.GREEN for chip in check_new(NucleiRequest(), reference, CARD))
    chips = check_new(NucleiRequest(density=100, size_px=20), reference, CARD)
    assert [chip.text for chip in chips if chip.lamp is Lamp.AMBER] == ["Density 100: unusual", "Area 20: unusual"]
    spilled = check_shapes(Census(3, 9000.0, 3.0, largest_px=26_000), reference, (256, 256), CARD)
    assert "Huge nucleus" in [chip.text for chip in spilled]


@given(fields, fields, st.integers(1, 3))
def test_fresh_blobs_are_those_without_an_old_pixel_wherever_the_change_lies(
    before: np.ndarray, now: np.ndarray, number: int
) -> None:
    of_number = pieces(np.where(now == number, 1, 0))
    new = {piece for piece in of_number if all(before[place] != number for place in piece)}
    found = [frozenset((int(y), int(x)) for y, x in zip(*places, strict=True)) for places in fresh_blobs(before, now, number)]
    assert set(found) <= new
    assert len(found) == len(new) - (bool(new) and len(new) == len(of_number))
