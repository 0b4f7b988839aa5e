"""What is wrong or odd about a set of pairs, each of which is sound: seen only when one is compared with the others."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np

from medsynth_core.protocol_training import Defect, Finding, Severity
from medsynth_core.training.findings import OUT, counted, empty_sides, named, stops, tells, warns
from medsynth_core.training.likeness import MIRROR_IMAGE_ABOVE, alike, alike_mirrored
from medsynth_core.training.pair_looks import PairLook
from medsynth_core.training.sides import SIDES, side_of

HELD_OUT = SIDES[2]
FEW = 20
RARE_SHARE = 0.1
FEWEST_TO_COMPARE = 3
ODD_ASPECT = 1.5
SMALL_PX = 32
ONE_INSTANCE = 0.05
DIM = 0.25
SATURATED, RARELY_SATURATED = 0.25, 0.05
TURNED, USUAL = -0.5, 0.3
"""Correlation with the mean picture of the set: below the first an image looks inverted, if most are above the second."""


def depths(looks: Sequence[PairLook]) -> Iterator[Finding]:
    """Yield each image of another type of numbers than most: 16 bits among 8 are another scale, or another export."""
    kinds = Counter(look.kind for look in looks)
    if len(kinds) < 2:
        return
    usual = max(kinds, key=lambda kind: (kinds[kind], -kind.itemsize))
    for look in looks:
        if look.kind != usual:
            says = f"{look.pair.image.name}: the image is {_bits(look.kind)}, most are {_bits(usual)}: another scale"
            yield stops(Defect.INTENSITY, look.name, says, f"Export it as {_bits(usual)} as the others are, or {OUT}.")


def label_values(looks: Sequence[PairLook], known: frozenset[int] | None, highest: int) -> Iterator[Finding]:
    """Yield each mask with values outside the vocabulary, in another coding, or with a value that hardly any other mask has.

    `known` are the foreground values that were named; None if none were, then values up to `highest` are taken. Where most masks
    are black and white, 255 means 1.
    """
    white = [look for look in looks if look.foreground == {255}]
    mostly_white = bool(white) and 2 * len(white) >= sum(bool(look.foreground) for look in looks)
    numbered = []
    for look in looks:
        if look.foreground and (look.foreground == {255}) != mostly_white:
            usual = "0 and 255" if mostly_white else "label numbers"
            says = f"{look.pair.mask.name}: the mask holds {_values(look)} where most hold {usual}"
            yield stops(Defect.LABELS, look.name, says, f"Save it as the others are, or {OUT}.")
        elif finding := _beyond(look, {1} if mostly_white and look.foreground else look.foreground, known, highest):
            yield finding
        else:
            numbered.append(look)
    if known is None and not mostly_white:
        yield from _rare_values(numbered)


def _beyond(look: PairLook, values: Collection[int], known: frozenset[int] | None, highest: int) -> Finding | None:
    """Return the finding on a mask with a value that was not named, or that no vocabulary holds."""
    name, top = look.pair.mask.name, max(values, default=0)
    if known is not None and (foreign := sorted(set(values) - known)):
        there = ", ".join(map(str, sorted(known | {0})))
        return stops(Defect.LABELS, look.name, f"{name}: the mask holds the label {foreign[0]}, named are {there}")
    if known is None and top > highest:
        says = f"{name}: the mask holds the label {top}: labels lie between 1 and {highest}"
        return stops(Defect.LABELS, look.name, says, f"Renumber the mask, or {OUT}.")
    return None


def _rare_values(looks: Sequence[PairLook]) -> Iterator[Finding]:
    """Yield each mask with a value that at most a tenth of the masks hold, where another value is in most of them."""
    if len(looks) < FEWEST_TO_COMPARE:
        return
    held = Counter(value for look in looks for value in look.foreground)
    if not held or held.most_common(1)[0][1] <= len(looks) / 2:
        return
    rare = {value for value, count in held.items() if count <= max(1, int(RARE_SHARE * len(looks)))}
    for look in looks:
        if odd := sorted(look.foreground & rare):
            beside = f"{odd[0]} is in {held[odd[0]]} of {len(looks)} masks"
            says = f"{look.pair.mask.name}: the mask holds the values {_values(look)}; {beside}"
            yield stops(Defect.LABELS, look.name, says)


def instances(looks: Sequence[PairLook]) -> Iterator[Finding]:
    """Yield masks of instances without any, and those with one number over much of the tile: hardly one nucleus."""
    if empty := [look for look in looks if not look.foreground]:
        says = f"{counted(len(empty), 'mask')} without any instance, learned from as empty: {named(_names(empty))}"
        yield warns(Defect.EMPTY_MASK, _names(empty), says)
    merged = [look for look in looks if len(look.foreground) == 1 and 1 - look.labels.get(0, 0) / _area(look) > ONE_INSTANCE]
    if merged:
        says = (
            f"{counted(len(merged), 'mask')} with a single number over more than {ONE_INSTANCE:.0%} of the tile, as if all "
            f"objects had been saved as one: {named(_names(merged))}"
        )
        yield warns(Defect.LABELS, _names(merged), says, f"Save one number for each object, or {OUT}.")


def duplicates(looks: Sequence[PairLook]) -> Iterator[Finding]:
    """Yield each image whose pixels another case has already; the first by name stays."""
    first: dict[str, PairLook] = {}
    for look in looks:
        twin = first.setdefault(look.likeness.checksum, look)
        if twin is not look:
            same = look.mask_checksum == twin.mask_checksum
            beside = "" if same else ", with another mask"
            fix = (
                "Exclude it: the image is learned from once." if same else "Keep the one whose mask is right, exclude the other."
            )
            says = f"{look.pair.image.name}: it shows the same pixels as {twin.pair.image.name}{beside}"
            yield stops(Defect.DUPLICATE, look.name, says, fix)


def mirror_images(looks: Sequence[PairLook]) -> Iterator[Finding]:
    """Yield the images that are others with left and right exchanged; the first by name stays."""
    of: dict[str, str] = {}
    for a, b, likeness, mirrored in _alike(looks):
        if mirrored and likeness > MIRROR_IMAGE_ABOVE:
            of.setdefault(b.name, f"{b.pair.image.name} is a mirrored duplicate of {a.pair.image.name}")
    if of:
        many = "" if len(of) == 1 else f"{len(of)} images are others with left and right exchanged: "
        fix = "Exclude them, or leave them: then these patients are learned from twice."
        yield warns(Defect.DUPLICATE, of, f"{many}{named(tuple(of.values()))}", fix)


def look_alikes(looks: Sequence[PairLook], grouped: bool) -> Iterator[Finding]:
    """Yield look-alikes that lie on both sides of the split, where groups are given, and those that stay together."""
    together: dict[str, float] = {}
    apart: dict[str, str] = {}
    for a, b, likeness, mirrored in _alike(looks):
        if grouped and (side_of(a.pair.group) == HELD_OUT) != (side_of(b.pair.group) == HELD_OUT):
            tested, learned = (a, b) if side_of(a.pair.group) == HELD_OUT else (b, a)
            once = "mirrored, " if mirrored else ""
            apart.setdefault(tested.name, f"{tested.name} is like {learned.name} ({once}correlation {likeness:.3f})")
        elif a.likeness.checksum != b.likeness.checksum and not (mirrored and likeness > MIRROR_IMAGE_ABOVE):
            together[b.name] = likeness
    if apart:
        first = next(iter(apart.values()))
        says = f"{counted(len(apart), 'held-out case')} of the look of one learned from, of another group: {first}"
        fix = "Give both one group in the table, or exclude the held-out ones: else figures on them flatter."
        yield warns(Defect.LEAKAGE, apart, says, fix)
    if together:
        says = f"{counted(len(together), 'look-alike')} of a case before, in one group with it: {named(tuple(together))}"
        yield tells(Defect.NEAR_DUPLICATE, together, says)


def spellings(looks: Sequence[PairLook]) -> Iterator[Finding]:
    """Yield groups that differ in case or blanks alone and lie on both sides of the split: one patient, hardly two."""
    spelled: dict[str, set[str]] = defaultdict(set)
    for look in looks:
        spelled[re.sub(r"[\s_-]+", "", look.pair.group).casefold()].add(look.pair.group)
    for ways in spelled.values():
        if len(ways) > 1 and len({side_of(way) == HELD_OUT for way in ways}) > 1:
            cases = tuple(look.name for look in looks if look.pair.group in ways)
            written = " and ".join(repr(way) for way in sorted(ways))
            says = f"the group is written {written}, which lie on both sides of the split: {named(cases)}"
            yield Finding(Defect.LEAKAGE, Severity.STOPS, cases, says, "Write it in one way in the table, or exclude the cases.")


def shared_names(looks: Sequence[PairLook]) -> Iterator[Finding]:
    """Yield that names look like several images a patient, such as P01_3 and P01_4, which lie on both sides of the split."""
    by_start: dict[str, list[PairLook]] = defaultdict(list)
    for look in looks:
        if found := re.fullmatch(r"(.*\d.*?)[-_ .]+[A-Za-z]*\d+", look.name):
            by_start[found[1]].append(look)
    several = {start: of for start, of in by_start.items() if len(of) > 1}
    if len(several) < 2 or sum(map(len, several.values())) < len(looks) / 2:
        return
    parted = {start: of for start, of in several.items() if len({side_of(look.pair.group) == HELD_OUT for look in of}) > 1}
    if parted:
        start, of = next(iter(parted.items()))
        says = (
            f"names look like {counted(len(several), 'patient')} with several images each, {len(parted)} of them on both sides "
            f"of the split: {named(tuple(look.name for look in of))} share {start}"
        )
        yield warns(Defect.LEAKAGE, (look.name for of in parted.values() for look in of), says)


def shapes(looks: Sequence[PairLook]) -> Iterator[Finding]:
    """Yield images of an odd aspect, very small ones, and grey ones among color."""
    aspects = np.array([look.size[1] / look.size[0] for look in looks])
    usual = float(np.median(aspects)) if len(looks) else 1.0
    odd = [look for look, aspect in zip(looks, aspects, strict=True) if max(aspect / usual, usual / aspect) > ODD_ASPECT]
    if odd and len(odd) <= RARE_SHARE * len(looks) + 1 and len(looks) >= FEWEST_TO_COMPARE:
        says = f"{_of(odd)} of another shape than most: {odd[0].pair.image.name} is {_size(odd[0])}; it is squeezed"
        yield warns(Defect.SIZE, _names(odd), says, f"Crop it to the shape of the others, or {OUT}.")
    if small := [look for look in looks if min(look.size) < SMALL_PX]:
        says = f"{_of(small)} smaller than {SMALL_PX} pixels: {small[0].pair.image.name} is {_size(small[0])}"
        yield warns(Defect.SIZE, _names(small), says, f"Export it larger, or {OUT}.")
    channels = Counter(look.channels for look in looks)
    if len(channels) > 1:
        few = min(channels, key=lambda count: (channels[count], count))
        rare = [look for look in looks if look.channels == few]
        what = "grey among color" if few == 1 else "in color among grey"
        yield warns(Defect.INTENSITY, _names(rare), f"{_of(rare)} {what}: {named(_names(rare))}", f"Export all alike, or {OUT}.")


def intensities(looks: Sequence[PairLook]) -> Iterator[Finding]:
    """Yield images that are inverted, saturated or much darker than the others."""
    if len(looks) < FEWEST_TO_COMPARE:
        return
    thumbnails = np.stack([look.likeness.thumbnail for look in looks])
    rest = (thumbnails.sum(axis=0)[None] - thumbnails) / (len(looks) - 1)  # an image is not compared with itself
    like = (thumbnails * rest).sum(axis=1) / np.maximum(np.linalg.norm(rest, axis=1), 1e-6)
    if np.median(like) > USUAL and (turned := [look for look, value in zip(looks, like, strict=True) if value < TURNED]):
        says = f"{_of(turned)} light where others are dark, as if inverted: {named(_names(turned))}"
        yield warns(Defect.INTENSITY, _names(turned), says, f"Invert it, or {OUT}.")
    full = np.array([look.saturated for look in looks])
    if np.median(full) < RARELY_SATURATED and (burnt := [look for look in looks if look.saturated > SATURATED]):
        says = (
            f"{_of(burnt)} saturated: {burnt[0].pair.image.name} has {burnt[0].saturated:.0%} of its pixels at the highest value"
        )
        yield warns(Defect.INTENSITY, _names(burnt), says, f"Export it with a wider window, or {OUT}.")
    tops = np.array([look.range[1] for look in looks])
    if dim := [look for look, top in zip(looks, tops, strict=True) if top < DIM * np.median(tops)]:
        says = (
            f"{_of(dim)} much darker than most: {dim[0].pair.image.name} ends at {dim[0].range[1]:g}, most at {np.median(tops):g}"
        )
        yield warns(Defect.INTENSITY, _names(dim), says)


def amounts(looks: Sequence[PairLook], learned: int, chosen_by: int, held_out: int) -> Iterator[Finding]:
    """Yield that there are few cases, or none on a side of the split."""
    if len(looks) < FEW:
        says = f"{counted(len(looks), 'case')}: a model of fewer than {FEW} repeats what it has seen"
        yield warns(Defect.TOO_FEW, (), says)
    yield from empty_sides(learned, chosen_by, held_out)


def _alike(looks: Sequence[PairLook]) -> Iterator[tuple[PairLook, PairLook, float, bool]]:
    """Yield two that are alike, the first by name first, their correlation, and whether one had to be mirrored for it."""
    if not looks:
        return
    thumbnails = np.stack([look.likeness.thumbnail for look in looks])
    for way, mirrored in ((alike, False), (alike_mirrored, True)):
        for i, j, likeness in way(thumbnails):
            for first, second, value in zip(i.tolist(), j.tolist(), likeness.tolist(), strict=True):
                yield looks[first], looks[second], value, mirrored


def _values(look: PairLook) -> str:
    *values, last = map(str, sorted(look.labels))
    return f"{', '.join(values)} and {last}" if values else last


def _bits(kind: np.dtype[np.generic]) -> str:
    return f"{kind.itemsize * 8} bits" if kind.kind in "ui" else f"{kind.itemsize * 8}-bit real numbers"


def _names(looks: Iterable[PairLook]) -> tuple[str, ...]:
    return tuple(look.name for look in looks)


def _of(looks: Sequence[PairLook]) -> str:
    return f"{counted(len(looks), 'image')} {'is' if len(looks) == 1 else 'are'}"


def _area(look: PairLook) -> int:
    return look.size[0] * look.size[1]


def _size(look: PairLook) -> str:
    return f"{look.size[1]}×{look.size[0]}"
