"""The doctor's report on a folder: what an engine's examination found, worst first, with pictures of the offenders.

Which files an engine reads and what it asks of them, the engine says itself (`Engine.examine`); its training refuses by the same
findings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from medsynth_core.errors import ParameterError, TrainingDataError
from medsynth_core.protocol_training import Defect, DoctorReport, Facts, Finding, Severity
from medsynth_core.training.findings import worst_first
from medsynth_core.training.pair_survey import PairSurvey
from medsynth_core.training.thumbnails import Sketch, Sketcher, sketch_of_files, sketch_of_volume, write_thumbnails
from medsynth_core.training.volume_survey import Survey

NOTHING = Facts(0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Examined:
    """What an engine found in a folder, and how to draw a case of it."""

    facts: Facts
    findings: tuple[Finding, ...]
    sketch: Sketcher


def report(engine: str, examination: Callable[[], Examined], thumbnails: Path) -> DoctorReport:
    """Return the report of an examination; pictures of the first offenders are written to a folder, 0.png and on.

    A folder that cannot be examined at all, such as one without any case, is a report with that one finding.
    """
    try:
        examined = examination()
    except TrainingDataError as problem:
        says = "; ".join((str(problem), *problem.offenders))
        finding = Finding(Defect.OTHER, Severity.STOPS, (), says, "Give another folder, or mend this one.", excludable=False)
        return DoctorReport(engine, NOTHING, (finding,))
    findings, count = write_thumbnails(worst_first(examined.findings), examined.sketch, thumbnails)
    return DoctorReport(engine, examined.facts, findings, count)


def with_terms(examined: Examined, check: Callable[[], None]) -> Examined:
    """Return what was found with what `check` raises of the order itself: a preset and a base that do not go together stop a
    training as a file does."""
    try:
        check()
    except ParameterError as problem:
        fix = "Choose another base or preset."
        finding = Finding(Defect.OTHER, Severity.STOPS, (), str(problem), fix, excludable=False)
        return replace(examined, findings=(finding, *examined.findings))
    return examined


def examined_pairs(survey: PairSurvey) -> Examined:
    """Return what a survey of pairs found, for the doctor."""
    return Examined(survey.facts(), survey.findings, lambda case: sketch_of_files(*survey.places.get(case, (None, None))))


def examined_volumes(survey: Survey) -> Examined:
    """Return what a survey of volumes found, for the doctor; a volume is drawn by the slice with most tumor."""

    def sketch(case: str) -> Sketch:
        found = survey.listed.get(case)
        return Sketch(None, None) if found is None else sketch_of_volume(found)

    return Examined(survey.facts(), survey.findings, sketch)
