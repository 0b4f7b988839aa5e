"""All cases of a folder looked at: those to learn from, each patient under one name, and what a user should know about them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from medsynth_core.errors import TrainingDataError
from medsynth_core.training.volume_cases import Case, Sight, VolumeOptions
from medsynth_core.training.volume_doctor import Finding, examine
from medsynth_core.training.volume_notices import counted, warnings
from medsynth_core.training.volume_twins import as_one_patient, find_twins

THREADS = 4


@dataclass(frozen=True)
class Survey:
    """The cases to learn from, and sentences on them: the first counts, the others warn."""

    cases: tuple[Case, ...]
    notices: tuple[str, ...]


def survey(cases: Sequence[Case], options: VolumeOptions, sight: Sight, listed_wrong: Sequence[str] = ()) -> Survey:
    """Return the cases that show a tumor, twins as one patient. Raises TrainingDataError with every offender.

    `listed_wrong` are offenders found while listing; they are told along with those found inside the files.
    """
    findings, wrong = _examined(cases, options, sight)
    offenders = (*listed_wrong, *wrong)
    if offenders:
        count = f"{len(offenders)} problem{'s' if len(offenders) > 1 else ''}"
        raise TrainingDataError(f"the folder has {count}: mend or remove the files named", offenders)
    _check_labels(findings, options)
    kept = [finding for finding in findings if finding.seen_mm2 > sight.least_mm2]
    if not kept:
        raise TrainingDataError(
            f"none of the {len(findings)} cases shows a tumor: masks are 0 everywhere, or tumors are too small"
        )
    twins = find_twins([finding.case for finding in kept], [finding.likeness for finding in kept])
    grouped = as_one_patient([finding.case for finding in kept], twins)
    return Survey(grouped, (counted(kept, grouped), *warnings(findings, kept, grouped, twins, options)))


def _examined(cases: Sequence[Case], options: VolumeOptions, sight: Sight) -> tuple[list[Finding], list[str]]:
    def look(case: Case) -> Finding | TrainingDataError:
        try:
            return examine(case, options, sight)
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
