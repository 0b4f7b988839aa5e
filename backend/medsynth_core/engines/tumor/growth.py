"""In which order a volume grows. Everything here follows from the number of slices and the anchor alone, so that a resumed job,
a faster machine or another viewer walks the same way and comes to the same bytes.

    z     0 . . . . . . . . . a . . . . . . . n−1
    1                       A A A A                     the anchor's slab: 4 slices, nothing known
    2                       c c c c u u u u u u u u     up: 4 known, 8 new
    3       d d d d d d d d c c c c                     down: handed to the network from the top, the known ones first
    …                                                   up and down in turn, until both ends are reached

A slice is decoded from its own latent and those of its two neighbors: it is given as soon as they exist, the nearest to the
anchor first. Where a background is kept only the slices its lesion touches are grown; those beyond them are known from the
start and stand in for context.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

ItemT = TypeVar("ItemT")

ANCHOR, NEW, CONTEXT = 4, 8, 4
LONGEST = NEW + CONTEXT
"""A slab is never longer than those the network was taught."""
BATCH = 4
"""Slices decoded at once: the first one alone, it is waited for."""


@dataclass(frozen=True)
class Step:
    """One slab. `order`: its slices as the network gets them; `new`: those of them that are made; `given`: the batches of
    neighboring slices, each from the bottom up, that can be decoded when it is done."""

    order: tuple[int, ...]
    new: tuple[int, ...]
    given: tuple[tuple[int, ...], ...]


def plan(slices: int, anchor: int, grown: range | None = None) -> tuple[Step, ...]:
    """Return the steps that grow a volume of `slices`, or only its slices `grown`, from the slice `anchor`.

    Every grown slice is new in one step and given in one. An anchor outside `grown` counts as its nearest slice.
    """
    whole = range(slices)
    grown = whole if grown is None else grown
    anchor = _within(anchor, grown)
    return tuple(_with_given(_slabs(whole, grown, anchor), grown, anchor))


def whole_stack_plan(slices: int, anchor: int, grown: range | None = None) -> tuple[Step, ...]:
    """Return the one step of a model that can only make all slices at once."""
    whole = range(slices)
    if grown is not None and grown != whole:
        raise ValueError("a model that makes whole stacks keeps no slices")
    return tuple(_with_given([(tuple(whole), tuple(whole))], whole, _within(anchor, whole)))


def clean_up_plan(slices: int, anchor: int, grown: range | None = None) -> tuple[Step, ...]:
    """Return the steps of a second pass over what `plan` has grown: slabs of 8 with 2 known slices on either side.

    They are shifted so that each seam of the first pass comes to lie at least 2 slices inside one of them.
    """
    whole = range(slices)
    grown = whole if grown is None else grown
    anchor = _within(anchor, grown)
    start = _first_slab(grown, anchor).start - (NEW - ANCHOR) // 2
    beside = CONTEXT // 2

    def slab(low: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        new = _cut(range(low, low + NEW), grown)
        return tuple(_cut(range(new.start - beside, new.stop + beside), whole)), tuple(new)

    above, below = range(start + NEW, grown.stop, NEW), range(start - NEW, grown.start - NEW, -NEW)
    return tuple(_with_given((slab(low) for low in (start, *_in_turn(above, below))), grown, anchor))


def beyond(slices: int, grown: range) -> tuple[int, ...]:
    """Return the slices that are not grown, the nearest first, above and below in turn."""
    return tuple(_in_turn(range(grown.stop, slices), range(grown.start - 1, -1, -1)))


def _slabs(whole: range, grown: range, anchor: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    first = _first_slab(grown, anchor)
    below = range(max(first.start - CONTEXT, 0), first.start) if first.start == grown.start else range(0)
    above = _after(range(first.stop, whole.stop), CONTEXT) if first.stop == grown.stop else range(0)
    yield (*below, *first, *above), tuple(first)
    yield from _in_turn(_upward(whole, grown, first), _downward(whole, grown, first))


def _upward(whole: range, grown: range, first: range) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    for low in range(first.stop, grown.stop, NEW):
        new = _cut(range(low, low + NEW), grown)
        context = range(max(low - CONTEXT, 0), low)
        room = min(CONTEXT, LONGEST - len(context) - len(new)) if new.stop == grown.stop else 0
        yield (*context, *new, *_after(range(new.stop, whole.stop), room)), tuple(new)


def _downward(whole: range, grown: range, first: range) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Grow downwards as the mirror image of growing upwards."""
    top = whole.stop - 1
    mirrored = (range(top + 1 - r.stop, top + 1 - r.start) for r in (grown, first))
    for order, new in _upward(whole, *mirrored):
        yield tuple(top - z for z in order), tuple(top - z for z in new)


def _with_given(slabs: Iterable[tuple[tuple[int, ...], tuple[int, ...]]], grown: range, anchor: int) -> Iterator[Step]:
    made: set[int] = set()
    given: set[int] = set()
    for order, new in slabs:
        made.update(new)
        ready = [z for z in grown if z not in given and all(near in made or near not in grown for near in (z - 1, z, z + 1))]
        given.update(ready)
        yield Step(order, new, tuple(_batches(ready, anchor)))


def _batches(ready: list[int], anchor: int) -> Iterator[tuple[int, ...]]:
    """Cut slices into batches of neighbors: the anchor alone, then upwards, then downwards from it."""
    if anchor in ready:
        yield (anchor,)
    above, below = [z for z in ready if z > anchor], [z for z in reversed(ready) if z < anchor]
    for side in (above, below):
        for start in range(0, len(side), BATCH):
            yield tuple(sorted(side[start : start + BATCH]))


def _first_slab(grown: range, anchor: int) -> range:
    start = max(grown.start, min(anchor - 1, grown.stop - ANCHOR))
    return _cut(range(start, start + ANCHOR), grown)


def _within(anchor: int, grown: range) -> int:
    if not grown:
        raise ValueError("no slice is to be grown")
    return max(grown.start, min(anchor, grown.stop - 1))


def _cut(wished: range, there: range) -> range:
    return range(max(wished.start, there.start), min(wished.stop, there.stop))


def _after(there: range, room: int) -> range:
    return there[: max(0, room)]


def _in_turn(ups: Iterable[ItemT], downs: Iterable[ItemT]) -> Iterator[ItemT]:
    """Yield from both in turn; when one ends, the rest of the other."""
    for pair in itertools.zip_longest(ups, downs):
        yield from (one for one in pair if one is not None)
