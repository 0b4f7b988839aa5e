"""What is found wrong in a training folder, and how a training refuses it: one set of rules for the doctor and the training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from medsynth_core.errors import InputError, ParameterError, TrainingDataError
from medsynth_core.protocol_training import Defect, Finding, Severity

OUT = "exclude the case"
FIXES = {
    Defect.UNPAIRED: f"Add the file that is missing under the same name, or {OUT}.",
    Defect.UNREADABLE: f"Save the file anew from its source, or {OUT}.",
    Defect.SIZE: f"Resample the mask to the image's grid, or {OUT}.",
    Defect.SPACING: f"Mend the header, or {OUT}.",
    Defect.EMPTY_MASK: f"Draw what is to be learned, or {OUT}.",
    Defect.LABELS: f"Renumber the mask, name its values with --label VALUE=NAME if they are meant, or {OUT}.",
    Defect.INTENSITY: f"Export the image as the others are, or {OUT}.",
    Defect.DUPLICATE: "Exclude it: the image is learned from once.",
    Defect.NEAR_DUPLICATE: "Nothing needs to be done: they stay on one side of the split.",
    Defect.LEAKAGE: "Name patients in a table, with --metadata and --group-by, or exclude the cases.",
    Defect.TOO_FEW: "Add cases.",
    Defect.OTHER: f"Mend it, or {OUT}.",
}
"""The way out where a finding has none of its own."""
ORDER = tuple(Severity)
NAMED, KINDS_SAID = 3, 8


def stops(defect: Defect, case: str, says: str, fix: str = "") -> Finding:
    """Return a finding that stops the training until it is mended or its case is excluded."""
    return Finding(defect, Severity.STOPS, (case,), says, fix or FIXES[defect])


def warns(defect: Defect, cases: Iterable[str], says: str, fix: str = "") -> Finding:
    """Return a finding on what may spoil the result."""
    return Finding(defect, Severity.WARNS, tuple(cases), says, fix or FIXES[defect])


def tells(defect: Defect, cases: Iterable[str], says: str, fix: str = "") -> Finding:
    """Return a finding that is good to know; its cases are no offenders."""
    return Finding(defect, Severity.TELLS, tuple(cases), says, fix or FIXES[defect], excludable=False)


def unreadable(case: str, problem: InputError, lead: str = "") -> Finding:
    """Return the finding on a file that cannot be read; `lead` names it where the problem does not."""
    return stops(Defect.UNREADABLE, case, f"{lead}{problem}")


def empty_sides(learned: int, chosen_by: int, held_out: int) -> Iterator[Finding]:
    """Yield that a side of the split is empty, given the cases on each."""
    if learned and not chosen_by:
        yield tells(Defect.TOO_FEW, (), "no case is left to choose the best state by: the last one is kept")
    if learned and not held_out:
        yield tells(Defect.TOO_FEW, (), "no case is held out: figures need cases of other patients")


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings by severity, then by defect; those alike keep their order."""
    defects = tuple(Defect)
    return tuple(sorted(findings, key=lambda f: (ORDER.index(f.severity), defects.index(f.defect))))


def stopping(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings that stop a training."""
    return tuple(finding for finding in findings if finding.severity is Severity.STOPS)


def concerning(findings: Iterable[Finding], items: Sequence[str]) -> tuple[Finding, ...]:
    """Return the findings on these cases, and those on none; all of them where no case is named."""
    wanted = set(items)
    return tuple(f for f in findings if not wanted or not f.cases or wanted & set(f.cases))


def refuse(name: str, findings: Iterable[Finding]) -> None:
    """Raise TrainingDataError with a sentence for each finding that stops the training of the folder `name`, case by case."""
    found = sorted(stopping(findings), key=lambda finding: finding.cases)
    offenders = tuple(finding.says for finding in found)
    if len(found) == 1 and not found[0].cases:
        raise TrainingDataError(found[0].says)
    if offenders:
        count = f"{len(offenders)} problem{'s' if len(offenders) > 1 else ''}"
        raise TrainingDataError(
            f"{name} has {count}: mend or remove the files named, or leave the cases out with --exclude", offenders
        )


def check_excluded(excluded: Sequence[str], known: Iterable[str], folder: str) -> None:
    """Raise ParameterError for a name to be excluded that is no case of the folder: a slip must not pass unseen."""
    there = set(known)
    if lost := [name for name in excluded if name not in there]:
        raise ParameterError(f"excluded is {lost[0]!r}, which is no case of {folder}: name cases as msynth doctor does")


def named(cases: Sequence[str], count: int = NAMED) -> str:
    """Return the first names in words, and how many more there are."""
    more = f" and {len(cases) - count} more" if len(cases) > count else ""
    return ", ".join(cases[:count]) + more


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it is one."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def most_common(counts: Counter[str]) -> dict[str, int]:
    """Return the most frequent entries, and the others as one."""
    kept = dict(counts.most_common(KINDS_SAID))
    others = sum(counts.values()) - sum(kept.values())
    return kept | ({"others": others} if others else {})
