"""All cases of a folder looked at: those to learn from, how many they are, and what a user should know about them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from medsynth_core.errors import TrainingDataError
from medsynth_core.training.volume_cases import Case, VolumeOptions
from medsynth_core.training.volume_doctor import Finding, examine
from medsynth_core.training.volume_twins import Twins, as_one_patient, find_twins

HEAD_MM = (40.0, 400.0)
UNLIKE_HEIGHTS = 2.5
"""From this ratio of the highest to the lowest head on, slice distances are hardly measured ones."""
NAMED = 3
THREADS = 4


@dataclass(frozen=True)
class Survey:
    """The cases to learn from, and sentences on them: the first counts, the others warn."""

    cases: tuple[Case, ...]
    notices: tuple[str, ...]


def survey(cases: Sequence[Case], options: VolumeOptions, listed_wrong: Sequence[str] = ()) -> Survey:
    """Return the cases that show a tumor, twins as one patient. Raises TrainingDataError with every offender.

    `listed_wrong` are offenders found while listing; they are told along with those found inside the files.
    """
    findings, wrong = _examined(cases, options)
    offenders = (*listed_wrong, *wrong)
    if offenders:
        count = f"{len(offenders)} problem{'s' if len(offenders) > 1 else ''}"
        raise TrainingDataError(f"the folder has {count}: mend or remove the files named", offenders)
    _check_labels(findings, options)
    kept = [finding for finding in findings if finding.tumor_slices]
    if not kept:
        raise TrainingDataError(f"none of the {len(findings)} cases shows a tumor: masks are 0 everywhere")
    twins = find_twins([finding.case for finding in kept], [finding.likeness for finding in kept])
    grouped = as_one_patient([finding.case for finding in kept], twins)
    return Survey(grouped, (_counted(kept, grouped), *_warnings(findings, kept, grouped, twins, options)))


def _examined(cases: Sequence[Case], options: VolumeOptions) -> tuple[list[Finding], list[str]]:
    def look(case: Case) -> Finding | TrainingDataError:
        try:
            return examine(case, options)
        except TrainingDataError as problem:
            return problem

    with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as pool:  # unzipping frees the interpreter
        results = list(pool.map(look, cases))
    wrong = [text for result in results if isinstance(result, TrainingDataError) for text in result.offenders]
    return [result for result in results if isinstance(result, Finding)], wrong


def _check_labels(findings: Sequence[Finding], options: VolumeOptions) -> None:
    there = frozenset[int]().union(*(finding.labels for finding in findings))
    if missing := sorted(set(options.tumor_labels) - there):
        known = ", ".join(map(str, sorted(there))) or "0 alone"
        raise TrainingDataError(f"--tumor-label is {missing[0]}, which no mask holds: there is {known}")


def _counted(kept: Sequence[Finding], cases: Sequence[Case]) -> str:
    patients = len({case.patient for case in cases})
    slices, with_tumor = sum(f.slices for f in kept), sum(f.tumor_slices for f in kept)
    apart = _range([f.spacing_mm[0] for f in kept])
    pixels = _range([mm for f in kept for mm in f.spacing_mm[1:]])
    return (
        f"{_count(len(kept), 'case')} of {_count(patients, 'patient')}: {slices} slices, {with_tumor} with tumor; "
        f"slices {apart} mm apart, pixels of {pixels} mm."
    )


def _warnings(
    findings: Sequence[Finding],
    kept: Sequence[Finding],
    cases: Sequence[Case],
    twins: Sequence[Twins],
    options: VolumeOptions,
) -> Iterator[str]:
    if empty := _names(findings, lambda f: not f.tumor_slices):
        yield f"Left out, {_count(len(findings) - len(kept), 'case')} without tumor: {empty}."
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
    for pair in twins[:NAMED]:
        how = "hold the same voxels" if pair.likeness == 1 else f"look alike (correlation {pair.likeness:.3f})"
        yield f"{pair.first.name} and {pair.second.name} {how}: they count as one patient."
    if len(twins) > NAMED:
        yield f"So do {len(twins) - NAMED} more pairs."
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


def _names(findings: Sequence[Finding], chosen: Callable[[Finding], bool]) -> str:
    names = [finding.case.name for finding in findings if chosen(finding)]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _range(values: Sequence[float]) -> str:
    low, high = f"{min(values):.3g}", f"{max(values):.3g}"
    return low if low == high else f"{low} to {high}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
