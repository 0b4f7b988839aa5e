"""What a user should know about the volumes of a folder before a training starts, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from medsynth_core.training.volume_cases import Case, VolumeOptions
from medsynth_core.training.volume_doctor import Finding
from medsynth_core.training.volume_twins import Twins

HEAD_MM = (40.0, 400.0)
UNLIKE_HEIGHTS = 2.5
"""From this ratio of the highest to the lowest head on, slice distances are hardly measured ones."""
MOSTLY = 0.5
"""Share of a tumor on black; in 188 real cases of two sets it is below 0.0003."""
NAMED = 3


def counted(kept: Sequence[Finding], cases: Sequence[Case]) -> str:
    """Return how many cases, patients and slices there are, and their distances."""
    patients = len({case.patient for case in cases})
    slices, with_tumor = sum(f.slices for f in kept), sum(f.tumor_slices for f in kept)
    apart = _range([f.spacing_mm[0] for f in kept])
    pixels = _range([mm for f in kept for mm in f.spacing_mm[1:]])
    return (
        f"{_count(len(kept), 'case')} of {_count(patients, 'patient')}: {slices} slices, {with_tumor} with tumor; "
        f"slices {apart} mm apart, pixels of {pixels} mm."
    )


def warnings(
    findings: Sequence[Finding],
    kept: Sequence[Finding],
    cases: Sequence[Case],
    twins: Sequence[Twins],
    options: VolumeOptions,
) -> Iterator[str]:
    """Yield what is odd, a sentence each: of all `findings`, of those `kept`, and of their `cases` with twins as one patient."""
    if empty := [f for f in findings if not f.tumor_slices]:
        yield f"Left out, {_count(len(empty), 'case')} without tumor: {_names(empty)}."
    if faint := [f for f in findings if f.tumor_slices and f not in kept]:
        why = "whose tumor is too small, or outside the middle of the slices that the network sees"
        yield f"Left out, {_count(len(faint), 'case')} {why}: {_names(faint)}."
    yield from _about_heights(kept)
    if unsaid := _names(kept, lambda f: not f.placed):
        yield f"The header does not say where the axes run, the order of NIfTI is assumed: {unsaid}."
    if len({f.axes for f in kept}) > 1:
        yield f"Axes run differently ({', '.join(sorted({f.axes for f in kept}))}): all are turned to one orientation."
    if dark := _names(kept, lambda f: f.negative):
        yield f"Voxels below 0 become black; add an offset to the images first if they matter: {dark}."
    values = frozenset[int]().union(*(f.labels for f in kept))
    if len(values) > 1 and not options.tumor_labels:
        yield f"The mask values {', '.join(map(str, sorted(values)))} all count as tumor; --tumor-label chooses among them."
    yield from _about_masks(kept, cases)
    yield from _about_twins(twins)
    patients = len({case.patient for case in cases})
    if len(cases) >= 10 * patients:
        yield f"Only {_count(patients, 'patient')} for {len(cases)} cases: if that is wrong, give --metadata and --group-by."


def _about_heights(kept: Sequence[Finding]) -> Iterator[str]:
    heights = [finding.height_mm for finding in kept]
    odd = _names(kept, lambda f: not HEAD_MM[0] <= f.height_mm <= HEAD_MM[1])
    if not odd and max(heights) <= UNLIKE_HEIGHTS * min(heights):
        return
    said = f"Heads are {_range(heights)} mm high (slices times their distance)"
    at = f", outside {HEAD_MM[0]:g} to {HEAD_MM[1]:g}: {odd}" if odd else ", which differs much"
    yield f"{said}{at}; if the headers do not tell the true distance, give --stack-height-mm."


def _about_masks(kept: Sequence[Finding], cases: Sequence[Case]) -> Iterator[str]:
    if strayed := _names(kept, lambda f: f.on_black > MOSTLY):
        yield f"Most of the tumor lies where the image is black; does the mask belong to the image? {strayed}."
    seen: dict[str, dict[str, Finding]] = {}
    for finding, case in zip(kept, cases, strict=True):
        seen.setdefault(finding.mask_sha256, {}).setdefault(case.patient, finding)
    for alike in (list(by_patient.values()) for by_patient in seen.values() if len(by_patient) > 1):
        yield f"Different patients have the same mask; is it mixed up? {_names(alike)}."


def _about_twins(twins: Sequence[Twins]) -> Iterator[str]:
    for pair in twins[:NAMED]:
        how = "hold the same voxels" if pair.likeness == 1 else f"look alike (correlation {pair.likeness:.3f})"
        yield f"{pair.first.name} and {pair.second.name} {how}: they count as one patient."
    if len(twins) > NAMED:
        yield f"So do {len(twins) - NAMED} more pairs."


def _names(findings: Sequence[Finding], chosen: Callable[[Finding], bool] = lambda finding: True) -> str:
    names = [finding.case.name for finding in findings if chosen(finding)]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _range(values: Sequence[float]) -> str:
    low, high = f"{min(values):.3g}", f"{max(values):.3g}"
    return low if low == high else f"{low} to {high}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
