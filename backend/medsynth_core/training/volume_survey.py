"""All cases of a folder looked at: those to learn from, each patient under one name, and what a user should know about them.

`Survey.faults` are those of single cases and of the folder; `findings` are they and all that comparing the cases has shown.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from medsynth_core.interrupts import mapped
from medsynth_core.protocol_training import Defect, Facts, Finding, Severity
from medsynth_core.training.findings import concerning, most_common, refuse, worst_first
from medsynth_core.training.ledger import Ledger, Mark, going_on, ledger_of, mark_of
from medsynth_core.training.sides import Sides, parted
from medsynth_core.training.volume_cases import Case, Sight, VolumeOptions
from medsynth_core.training.volume_doctor import Seen, look_at
from medsynth_core.training.volume_notices import amounts, counted, warnings
from medsynth_core.training.volume_twins import as_one_patient, find_twins

THREADS = 4


@dataclass(frozen=True, eq=False)
class Survey:
    """The cases to learn from, and all that was found. `notices` are sentences: the first counts, the others warn.

    `seen` says what the sound cases are like, by name; `listed` are all whose files are there; `said_by` is what a patient is
    called in the ledger.
    """

    cases: tuple[Case, ...]
    notices: tuple[str, ...] = ()
    faults: tuple[Finding, ...] = ()
    findings: tuple[Finding, ...] = ()
    seen: dict[str, Seen] = field(default_factory=dict)
    listed: dict[str, Case] = field(default_factory=dict)
    said_by: str = "patient"

    @property
    def sides(self) -> Sides[Case]:
        """The cases by their side of the split."""
        return parted(self.cases, lambda case: case.patient)

    def admit(self, items: Sequence[str] = (), recipe_drops: bool = False) -> Survey:
        """Return itself. Raises TrainingDataError with all that stops the training.

        With `items`, only what these cases have counts; `recipe_drops`: only what is wrong with single cases does.
        """
        refuse("the folder", concerning(self.faults if recipe_drops else self.findings, items))
        return self

    def ledger(self, sides: Sides[Case], base: Path | None = None) -> Ledger:
        """Return the record of a training on these sides, which goes on from `base`. Raises ModelError."""
        ledger = ledger_of(self.marks(sides.training), self.marks(sides.tuning), self.marks(sides.held_out))
        return ledger if base is None else going_on(ledger, base)

    def marks(self, cases: Sequence[Case]) -> tuple[Mark, ...]:
        """Return what cases of the folder are known by."""
        return tuple(mark_of(case.name, f"{self.said_by} {case.patient}", self.seen[case.name].likeness) for case in cases)

    def facts(self) -> Facts:
        """Return the cases to learn from in numbers; intensities from a sample of each image's voxels."""
        kept, sides = [self.seen[case.name] for case in self.cases], self.sides
        if not kept:
            return Facts(0, 0, 0, 0, 0)
        voxels: Counter[int] = Counter()
        for found in kept:
            voxels.update(found.voxels_by_label)
        low, high = np.percentile(np.concatenate([found.sample for found in kept]), (1, 99))
        return Facts(
            cases=len(kept),
            groups=len({case.patient for case in self.cases}),
            training=len(sides.training),
            tuning=len(sides.tuning),
            held_out=len(sides.held_out),
            sizes=most_common(Counter("×".join(map(str, found.size[::-1])) for found in kept)),
            spacings=most_common(Counter("×".join(f"{mm:.3g}" for mm in found.spacing_mm[::-1]) + " mm" for found in kept)),
            labels={str(value): count / voxels.total() for value, count in sorted(voxels.items())},
            intensity=(float(low), float(high)),
            channels=1,
        )


def survey(
    cases: Sequence[Case], options: VolumeOptions, sight: Sight, listed: Sequence[Finding] = (), said_by: str = "patient"
) -> Survey:
    """Return the cases that show a tumor, twins as one patient, and all that was found; nothing is refused here.

    `listed` was found while listing; it is told along with what is found inside the files.
    """
    seen, wrong = _looked_at(cases, options, sight)
    kept = [found for found in seen if found.seen_mm2 > sight.least_mm2]
    faults = (*listed, *wrong) or tuple(_of_all(seen, kept, options))
    by_name, by_list = {found.case.name: found for found in seen}, {case.name: case for case in cases}
    if not kept:
        return Survey((), (), faults, worst_first(faults), by_name, by_list, said_by)
    twins = find_twins([found.case for found in kept], [found.likeness for found in kept])
    grouped = as_one_patient([found.case for found in kept], twins)
    compared = tuple(warnings(seen, kept, grouped, twins, options))
    few = amounts(parted(grouped, lambda case: case.patient))
    notices = (counted(kept, grouped), *(finding.says for finding in compared))
    return Survey(grouped, notices, faults, worst_first((*faults, *compared, *few)), by_name, by_list, said_by)


def _looked_at(cases: Sequence[Case], options: VolumeOptions, sight: Sight) -> tuple[list[Seen], list[Finding]]:
    pool = ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1))  # unzipping frees the interpreter
    results = mapped(pool, lambda case: look_at(case, options, sight), cases)
    wrong = [finding for result in results if isinstance(result, tuple) for finding in result]
    return [result for result in results if isinstance(result, Seen)], wrong


def _of_all(seen: Sequence[Seen], kept: Sequence[Seen], options: VolumeOptions) -> list[Finding]:
    """Return what is wrong with sound cases together: a label that none has, or no tumor at all."""
    there = frozenset[int]().union(*(found.labels for found in seen))
    if missing := sorted(set(options.tumor_labels) - there):
        known = ", ".join(map(str, sorted(there))) or "0 alone"
        says = f"--tumor-label is {missing[0]}, which no mask holds: there is {known}"
        return [Finding(Defect.LABELS, Severity.STOPS, (), says, "Name a value that is there.", excludable=False)]
    if not kept:
        says = f"none of the {len(seen)} cases shows a tumor: masks are 0 everywhere, or tumors are too small"
        return [Finding(Defect.EMPTY_MASK, Severity.STOPS, (), says, "Give cases with a tumor.", excludable=False)]
    return []
