"""The order of growth: every slice once, context always known, whatever the volume and the anchor."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsynth_core.engines.tumor.growth import ANCHOR, CONTEXT, LONGEST, NEW, Step, beyond, clean_up_plan, plan

CASES = [(n, a) for n in (1, 2, 3, 4, 5, 6, 11, 12, 13, 20, 36, 64) for a in sorted({0, 1, n // 2, n - 2, n - 1}) if 0 <= a < n]


@st.composite
def lesions(draw: st.DrawFn) -> tuple[int, int, range]:
    """Draw (slices, anchor, grown)."""
    slices = draw(st.integers(1, 90))
    low = draw(st.integers(0, slices - 1))
    high = draw(st.integers(low + 1, slices))
    return slices, draw(st.integers(0, slices - 1)), range(low, high)


def check(steps: tuple[Step, ...], slices: int, grown: range, *, first_pass: bool) -> None:
    made: set[int] = set()
    given_so_far: set[int] = set()
    for step in steps:
        assert set(step.new) <= set(step.order)
        assert len(step.order) <= LONGEST
        assert {abs(a - b) for a, b in itertools.pairwise(step.order)} <= {1}, "a slab is a run of neighbors"
        context = set(step.order) - set(step.new)
        if first_pass:
            assert context <= made | (set(range(slices)) - set(grown)), "context that is not known yet"
        made.update(step.new)
        for batch in step.given:
            assert list(batch) == list(range(batch[0], batch[-1] + 1))
            for z in batch:
                near = {z - 1, z, z + 1} & set(grown)
                assert near <= made, "decoded before its neighbors exist"
                assert z not in given_so_far, "given twice"
                given_so_far.add(z)
    assert sorted(itertools.chain.from_iterable(step.new for step in steps)) == list(grown)
    assert sorted(given_so_far) == list(grown)


@pytest.mark.parametrize(("slices", "anchor"), CASES)
def test_every_slice_is_made_and_given_once_and_context_is_known(slices: int, anchor: int) -> None:
    check(plan(slices, anchor), slices, range(slices), first_pass=True)


@given(lesions())
def test_so_it_is_where_only_the_slices_of_a_lesion_grow(case: tuple[int, int, range]) -> None:
    slices, anchor, grown = case
    check(plan(slices, anchor, grown), slices, grown, first_pass=True)


@given(lesions())
def test_the_second_pass_makes_every_slice_once_too(case: tuple[int, int, range]) -> None:
    slices, anchor, grown = case
    check(clean_up_plan(slices, anchor, grown), slices, grown, first_pass=False)


@pytest.mark.parametrize(("slices", "anchor"), CASES)
def test_the_slice_looked_at_is_the_first_one_given_and_alone(slices: int, anchor: int) -> None:
    first = plan(slices, anchor)[0]
    assert first.given[0] == (anchor,)
    assert len(first.new) == min(ANCHOR, slices)


@pytest.mark.parametrize(("slices", "anchor"), [(64, 20), (36, 0), (36, 35), (20, 3)])
def test_slabs_of_eight_with_four_known_ones_follow_up_and_down_in_turn(slices: int, anchor: int) -> None:
    steps = plan(slices, anchor)[1:]
    ups = [step.new[-1] > step.order[0] for step in steps]
    both = 2 * min(ups.count(True), ups.count(False))
    assert all(a != b for a, b in itertools.pairwise(ups[:both]))
    for step in steps:
        assert len(step.order) - len(step.new) == CONTEXT
        assert step.order[CONTEXT:] == step.new, "the known ones come first"
        full = len(step.new) == NEW
        assert full or {step.new[-1]} & {0, slices - 1}, "only the ends are shorter"


def test_a_downward_slab_is_handed_over_from_the_top() -> None:
    down = next(step for step in plan(64, 32)[1:] if step.new[0] < 31)
    assert down.order == tuple(range(34, 22, -1))


def test_what_lies_beyond_a_lesion_is_context_on_both_sides() -> None:
    (only,) = plan(20, 9, range(8, 12))
    assert only.order == tuple(range(4, 16))
    assert only.new == (8, 9, 10, 11)


def test_each_seam_of_the_first_pass_lies_inside_a_slab_of_the_second() -> None:
    slices, anchor = 64, 30
    seams = {z for step in plan(slices, anchor)[1:] for z in (max(step.new[0], step.order[CONTEXT - 1]),)}
    for seam in seams:
        assert any(seam - 1 in step.new and seam in step.new for step in clean_up_plan(slices, anchor)), seam


def test_slices_beyond_are_told_the_nearest_first() -> None:
    assert beyond(8, range(3, 5)) == (5, 2, 6, 1, 7, 0)
    assert beyond(4, range(4)) == ()


def test_batches_of_a_plan_are_small() -> None:
    assert max(len(batch) for step in plan(64, 30) for batch in step.given) <= 4
