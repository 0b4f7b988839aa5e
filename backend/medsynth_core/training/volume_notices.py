"""What a user should know about the volumes of a folder before a training starts, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from medsynth_core.protocol_training import Defect, Finding
from medsynth_core.training.findings import OUT, empty_sides, named, stops, tells, warns
from medsynth_core.training.findings import counted as number_of
from medsynth_core.training.sides import Sides
from medsynth_core.training.volume_cases import Case, VolumeOptions
from medsynth_core.training.volume_doctor import Seen
from medsynth_core.training.volume_twins import Twins

HEAD_MM = (40.0, 400.0)
UNLIKE_HEIGHTS = 2.5
"""From this ratio of the highest to the lowest head on, slice distances are hardly measured ones."""
MOSTLY = 0.5
"""Share of a tumor on black; in 188 real cases of two sets it is below 0.0003."""
RARE_SHARE, FEWEST_TO_COMPARE = 0.1, 3
"""A label value in no more of the masks than this share is odd where another is in most of them."""
FEW = 10


def counted(kept: Sequence[Seen], cases: Sequence[Case]) -> str:
    """Return how many cases, patients and slices there are, and their distances."""
    patients = len({case.patient for case in cases})
    slices, with_tumor = sum(f.slices for f in kept), sum(f.tumor_slices for f in kept)
    apart = _range([f.spacing_mm[0] for f in kept])
    pixels = _range([mm for f in kept for mm in f.spacing_mm[1:]])
    return (
        f"{number_of(len(kept), 'case')} of {number_of(patients, 'patient')}: {slices} slices, {with_tumor} with tumor; "
        f"slices {apart} mm apart, pixels of {pixels} mm."
    )


def warnings(
    seen: Sequence[Seen],
    kept: Sequence[Seen],
    cases: Sequence[Case],
    twins: Sequence[Twins],
    options: VolumeOptions,
) -> Iterator[Finding]:
    """Yield what is odd: of all that was `seen`, of those `kept`, and of their `cases` with twins as one patient."""
    yield from _about_left_out(seen, kept)
    yield from _about_heights(kept)
    if unsaid := _names(kept, lambda f: not f.placed):
        says = f"The header does not say where the axes run, the order of NIfTI is assumed: {named(unsaid)}."
        yield warns(Defect.SPACING, unsaid, says)
    if len({f.axes for f in kept}) > 1:
        says = f"Axes run differently ({', '.join(sorted({f.axes for f in kept}))}): all are turned to one orientation."
        yield tells(Defect.OTHER, (), says, "Nothing needs to be done.")
    if dark := _names(kept, lambda f: f.negative):
        says = f"Voxels below 0 become black; add an offset to the images first if they matter: {named(dark)}."
        yield warns(Defect.INTENSITY, dark, says)
    yield from _about_depths(kept)
    yield from _about_labels(kept, options)
    yield from _about_masks(kept, cases)
    yield from _about_twins(kept, twins)
    yield from _about_patients(cases)


def _about_left_out(seen: Sequence[Seen], kept: Sequence[Seen]) -> Iterator[Finding]:
    if empty := _names(seen, lambda f: not f.tumor_slices):
        yield warns(Defect.EMPTY_MASK, empty, f"Left out, {number_of(len(empty), 'case')} without tumor: {named(empty)}.")
    there = {f.case.name for f in kept}
    if faint := _names(seen, lambda f: f.tumor_slices > 0 and f.case.name not in there):
        why = "whose tumor is too small, or outside the middle of the slices that the network sees"
        yield warns(Defect.EMPTY_MASK, faint, f"Left out, {number_of(len(faint), 'case')} {why}: {named(faint)}.")


def _about_heights(kept: Sequence[Seen]) -> Iterator[Finding]:
    heights = [finding.height_mm for finding in kept]
    odd = _names(kept, lambda f: not HEAD_MM[0] <= f.height_mm <= HEAD_MM[1])
    if not odd and max(heights) <= UNLIKE_HEIGHTS * min(heights):
        return
    said = f"Heads are {_range(heights)} mm high (slices times their distance)"
    at = f", outside {HEAD_MM[0]:g} to {HEAD_MM[1]:g}: {named(odd)}" if odd else ", which differs much"
    says = f"{said}{at}; if the headers do not tell the true distance, give --stack-height-mm."
    yield warns(Defect.SPACING, odd, says, f"Give --stack-height-mm, mend the headers, or {OUT}.")


def _about_depths(kept: Sequence[Seen]) -> Iterator[Finding]:
    """Yield the few images of 8 bits among deeper ones, or the reverse."""
    eight = [f for f in kept if f.kind.itemsize == 1]
    few = min(eight, [f for f in kept if f.kind.itemsize > 1], key=len)
    if few:
        names = _names(few)
        what = "are of 8 bits, most are deeper" if few[0].kind.itemsize == 1 else "are deeper than 8 bits, most are not"
        yield warns(Defect.INTENSITY, names, f"Some images {what}: {named(names)}.")


def _about_labels(kept: Sequence[Seen], options: VolumeOptions) -> Iterator[Finding]:
    held = Counter(value for f in kept for value in f.labels)
    if len(held) < 2 or options.tumor_labels:
        return
    says = f"The mask values {', '.join(map(str, sorted(held)))} all count as tumor; --tumor-label chooses among them."
    yield warns(Defect.LABELS, (), says, "Give --tumor-label for each value that is meant.")
    if len(kept) < FEWEST_TO_COMPARE or held.most_common(1)[0][1] <= len(kept) / 2:
        return
    rare = {value for value, count in held.items() if count <= max(1, int(RARE_SHARE * len(kept)))}
    for found in kept:
        if odd := sorted(found.labels & rare):
            values = ", ".join(map(str, sorted(found.labels | {0})))
            says = f"{found.case.name}: the mask holds the values {values}; {odd[0]} is in {held[odd[0]]} of {len(kept)} masks"
            fix = f"Say with --tumor-label which values are tumor, renumber the mask, or {OUT}."
            yield stops(Defect.LABELS, found.case.name, says, fix)


def _about_masks(kept: Sequence[Seen], cases: Sequence[Case]) -> Iterator[Finding]:
    if strayed := _names(kept, lambda f: f.on_black > MOSTLY):
        says = f"Most of the tumor lies where the image is black; does the mask belong to the image? {named(strayed)}."
        yield warns(Defect.OTHER, strayed, says)
    of_mask: dict[str, dict[str, Seen]] = {}
    for finding, case in zip(kept, cases, strict=True):
        of_mask.setdefault(finding.mask_sha256, {}).setdefault(case.patient, finding)
    for alike in (_names(list(by_patient.values())) for by_patient in of_mask.values() if len(by_patient) > 1):
        yield warns(Defect.OTHER, alike, f"Different patients have the same mask; is it mixed up? {named(alike)}.")


def _about_twins(kept: Sequence[Seen], twins: Sequence[Twins]) -> Iterator[Finding]:
    first: dict[str, Seen] = {}
    for found in kept:
        twin = first.setdefault(found.likeness.checksum, found)
        if twin is not found:
            says = f"{found.case.name}: it holds the same voxels as {twin.case.name}"
            yield stops(Defect.DUPLICATE, found.case.name, says)
    alike = [pair for pair in twins if pair.likeness < 1]
    for pair in alike:
        names = (pair.first.name, pair.second.name)
        once = "once one is mirrored, " if pair.mirrored else ""
        says = f"{names[0]} and {names[1]} look alike ({once}correlation {pair.likeness:.3f}): they count as one patient."
        yield tells(Defect.NEAR_DUPLICATE, names, says)


def _about_patients(cases: Sequence[Case]) -> Iterator[Finding]:
    patients = len({case.patient for case in cases})
    if len(cases) >= 10 * patients:
        says = f"Only {number_of(patients, 'patient')} for {len(cases)} cases: if that is wrong, give --metadata and --group-by."
        yield warns(Defect.TOO_FEW, (), says, "Give --metadata and --group-by.")


def amounts(sides: Sides[Case]) -> Iterator[Finding]:
    """Yield that there are few patients, or none on a side of the split."""
    patients = len({case.patient for case in (*sides.seen, *sides.held_out)})
    if patients < FEW:
        says = f"{number_of(patients, 'patient')}: a model of fewer than {FEW} repeats what it has seen"
        yield warns(Defect.TOO_FEW, (), says)
    yield from empty_sides(len(sides.training), len(sides.tuning), len(sides.held_out))


def _names(findings: Sequence[Seen], chosen: Callable[[Seen], bool] = lambda finding: True) -> tuple[str, ...]:
    return tuple(finding.case.name for finding in findings if chosen(finding))


def _range(values: Sequence[float]) -> str:
    low, high = f"{min(values):.3g}", f"{max(values):.3g}"
    return low if low == high else f"{low} to {high}"
