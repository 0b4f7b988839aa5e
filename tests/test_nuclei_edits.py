"""Edits of one nucleus, on random fields: what must hold whatever is moved where."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from medsynth_core.errors import InputError, ShapeError
from medsynth_core.nuclei_edits import (
    LEAST_AREA_PX,
    MARGIN_PX,
    Edit,
    Field,
    deleted,
    duplicated,
    grown,
    largest_piece,
    moved,
    nucleus,
)

quick = settings(max_examples=60, deadline=None)
steps = st.integers(-9, 9)
Put = Callable[[Field, int, int, int], Edit]


@st.composite
def fields(draw: st.DrawFn) -> np.ndarray:
    """Draw a field of a few nuclei, overlapping rectangles and disks, in one of the types that label maps have."""
    shape = draw(st.tuples(st.integers(16, 40), st.integers(16, 40)))
    field = np.zeros(shape, draw(st.sampled_from([np.uint8, np.uint16, np.int32, np.int64])))
    ys, xs = np.indices(shape)
    for number in draw(st.lists(st.integers(1, 90), min_size=1, max_size=4, unique=True)):
        y, x, radius = draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, shape[1] - 1)), draw(st.integers(1, 7))
        round_ = draw(st.booleans())
        field[(ys - y) ** 2 + (xs - x) ** 2 <= radius**2 if round_ else (abs(ys - y) <= radius) & (abs(xs - x) <= 2)] = number
    return field


def some_number(field: np.ndarray, pick: int) -> int:
    numbers = np.unique(field[field > 0])
    assume(numbers.size)
    return int(numbers[pick % numbers.size])


def disk(shape: tuple[int, int] = (40, 60), center: tuple[int, int] = (20, 20), radius: int = 5, number: int = 1) -> np.ndarray:
    field = np.zeros(shape, np.uint16)
    ys, xs = np.indices(shape)
    field[(ys - center[0]) ** 2 + (xs - center[1]) ** 2 <= radius**2] = number
    return field


def edited(put: Put, field: np.ndarray, number: int, dy: int, dx: int) -> Edit:
    """Return the edit; cases that are refused are those of another test."""
    try:
        return put(field, number, dy, dx)
    except InputError:
        assume(False)
        raise


@quick
@given(fields(), st.integers(0, 9), steps, steps, st.sampled_from([moved, duplicated]))
def test_no_pixel_of_another_nucleus_ever_changes(field: np.ndarray, pick: int, dy: int, dx: int, put: Put) -> None:
    number = some_number(field, pick)
    edit = edited(put, field, number, dy, dx)
    others = (field > 0) & (field != number)
    assert np.array_equal(edit.instances[others], field[others])
    assert edit.instances.dtype == field.dtype


@quick
@given(fields(), st.integers(0, 9), steps, steps, st.sampled_from([moved, duplicated]))
def test_what_is_put_down_is_one_piece_of_the_shape_that_was_taken(
    field: np.ndarray, pick: int, dy: int, dx: int, put: Put
) -> None:
    assume((dy, dx) != (0, 0))
    number = some_number(field, pick)
    edit = edited(put, field, number, dy, dx)
    there = edit.instances == edit.number
    assert ndimage.label(there)[1] == 1
    assert there.sum() >= min(LEAST_AREA_PX, (field == number).sum())
    ys, xs = np.nonzero(there)
    assert (field[ys - dy, xs - dx] == number).all()
    free = np.isin(field[ys, xs], [0, number] if put is moved else [0])
    assert free.all()


@quick
@given(fields(), st.integers(0, 9), steps, steps)
def test_a_duplicate_has_a_number_nobody_had_and_takes_nothing_away(field: np.ndarray, pick: int, dy: int, dx: int) -> None:
    number = some_number(field, pick)
    edit = edited(duplicated, field, number, dy, dx)
    assert edit.number not in field
    assert np.array_equal(edit.instances[field > 0], field[field > 0])
    assert set(np.unique(edit.instances)) - {0} == {*np.unique(field), edit.number} - {0}


@quick
@given(fields(), st.integers(0, 9), steps, steps, st.sampled_from(["moved", "duplicated", "deleted"]))
def test_the_region_holds_every_change_with_its_margin_and_nothing_far_from_it(
    field: np.ndarray, pick: int, dy: int, dx: int, how: str
) -> None:
    number, before = some_number(field, pick), field.copy()
    if how == "deleted":
        edit = deleted(field, number)
    else:
        edit = edited(moved if how == "moved" else duplicated, field, number, dy, dx)
        assume((dy, dx) != (0, 0))
    assert np.array_equal(field, before), "what was handed in was written to"
    touched = edit.instances == edit.number
    if how != "duplicated":
        touched |= field == number
    distance = ndimage.distance_transform_edt(~touched)
    assert np.array_equal(edit.region, distance <= MARGIN_PX)
    assert edit.region[field != edit.instances].all()


@quick
@given(fields(), st.integers(0, 9))
def test_a_deleted_nucleus_leaves_background_and_all_others(field: np.ndarray, pick: int) -> None:
    number = some_number(field, pick)
    edit = deleted(field, number)
    assert np.array_equal(edit.instances, np.where(field == number, 0, field))


@quick
@given(fields(), st.integers(0, 9), steps, steps)
def test_a_move_that_lost_nothing_can_be_moved_back(field: np.ndarray, pick: int, dy: int, dx: int) -> None:
    number = some_number(field, pick)
    there = edited(moved, field, number, dy, dx)
    assume((there.instances == number).sum() == (field == number).sum())
    back = moved(there.instances, number, -dy, -dx)
    assert np.array_equal(back.instances, field)
    assert np.array_equal(back.region, there.region)


@quick
@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_the_largest_piece_is_that_of_a_library(height: int, width: int, data: st.DataObject) -> None:
    where = np.array(data.draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width)), bool)
    where = where.reshape(height, width)
    pieces, count = ndimage.label(where)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    sizes[0] = 0
    expected = pieces == sizes.argmax() if count else where
    assert np.array_equal(largest_piece(where), expected)


def test_a_move_by_nothing_is_no_edit() -> None:
    edit = moved(disk(), 1, 0, 0)
    assert np.array_equal(edit.instances, disk())
    assert not edit.region.any()


def test_a_nucleus_is_cut_off_at_the_edge_of_the_field() -> None:
    edit = moved(disk(), 1, -20, 0)
    assert (edit.instances == 1).sum() == disk()[20:].astype(bool).sum()
    assert edit.region[0, 20]
    assert not edit.region[-1].any()


@pytest.mark.parametrize("put", [moved, duplicated])
@pytest.mark.parametrize("step", [(100, 0), (-26, 0), (0, 46), (0, -26), (-(10**9), 10**9)])
def test_a_nucleus_that_would_leave_the_field_is_refused(put: Put, step: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="nucleus 1 would leave the field"):
        put(disk(), 1, *step)


@pytest.mark.parametrize("put", [moved, duplicated])
def test_a_nucleus_that_would_vanish_below_another_is_refused(put: Put) -> None:
    field = disk() + disk(center=(20, 45), radius=8, number=2)
    with pytest.raises(InputError, match="0 pixels would be left, 12 is the least"):
        put(field, 1, 0, 25)


def test_a_sliver_at_the_edge_is_refused_but_what_was_painted_tiny_may_move() -> None:
    with pytest.raises(InputError, match="12 is the least"):
        moved(disk(), 1, 0, -25)
    tiny = np.zeros((9, 9), np.uint8)
    tiny[4, 4] = 3
    assert moved(tiny, 3, 1, 1).instances[5, 5] == 3


def test_a_copy_on_the_spot_is_refused() -> None:
    with pytest.raises(InputError, match="0 pixels would be left"):
        duplicated(disk(), 1, 0, 0)


def test_of_a_nucleus_that_a_thin_one_cuts_in_two_the_larger_part_stays() -> None:
    field = disk()
    field[:, 42] = 7
    edit = moved(field, 1, 0, 20)  # its middle at 40: columns 35 to 41 are larger than 43 to 45
    assert not (edit.instances[:, 43:] == 1).any()
    assert (edit.instances[:, 35:42] == 1).sum() == disk(center=(20, 40))[:, :42].astype(bool).sum()


def test_a_copy_may_lie_where_a_move_may_but_not_on_the_one_it_is_of() -> None:
    assert (moved(disk(), 1, 0, 3).instances == 1).sum() == disk().astype(bool).sum()
    copy = duplicated(disk(), 1, 0, 6)
    assert (copy.instances == 1).sum() == disk().astype(bool).sum() > (copy.instances == 2).sum()


def test_where_the_numbers_end_the_lowest_free_one_is_taken() -> None:
    field = disk().astype(np.uint8) * 255
    assert duplicated(field, 255, 0, 20).number == 1
    field[0, :10] = np.arange(1, 11)
    assert duplicated(field, 255, 0, 20).number == 11
    wide = disk().astype(np.int64) * 65535
    assert duplicated(wide, 65535, 0, 20).number == 1  # 16 bit is what the engine takes, whatever the layer holds


def test_when_all_numbers_are_taken_it_says_what_to_do() -> None:
    full = np.zeros((40, 60), np.uint8)
    full[-10:, -30:] = np.arange(300).reshape(10, 30) % 255 + 1
    full[full == 9] = 0
    full[disk() > 0] = 9
    with pytest.raises(InputError, match="up to 255 of uint8 are taken: convert the field to uint16"):
        duplicated(full, 9, -8, 20)


@pytest.mark.parametrize("number", [0, 2, -1])
def test_what_is_no_nucleus_is_named(number: int) -> None:
    with pytest.raises(InputError, match=f"no nucleus {number}"):
        deleted(disk(), number)


@pytest.mark.parametrize("field", [np.ones((2, 8, 8), np.uint8), np.ones((8, 8), np.float32), np.ones((8, 8), bool)])
def test_what_is_no_plane_of_integers_is_refused(field: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="take one slice"):
        nucleus(field, 1)


def test_a_large_field_costs_what_the_nucleus_costs() -> None:
    where = disk((2000, 3000), (1000, 1500), 20) > 0
    assert np.array_equal(np.argwhere(grown(where)).min(0), [1000 - 20 - MARGIN_PX, 1500 - 20 - MARGIN_PX])
    assert grown(where)[1000, 1500 + 20 + MARGIN_PX]
    assert not grown(np.zeros((4, 4), bool)).any()
