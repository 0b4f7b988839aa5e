"""`msynth doctor ENGINE DATA`: what is wrong with a training folder. Ends with 1 where a training would be refused."""

from __future__ import annotations

import argparse
import json
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

from medsynth_core.cli_train import add_data_arguments, request_of
from medsynth_core.protocol import to_json
from medsynth_core.protocol_training import DoctorReport, Facts, Finding, Severity

READY, STOPPED = 0, 1
SHARES_SAID = 6


def add_doctor_arguments(parser: argparse.ArgumentParser) -> None:
    """Put the options of `msynth doctor` on a parser."""
    add_data_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument(
        "--thumbnails", type=Path, metavar="FOLDER", help="keep pictures of the offenders here, as 0.png, 1.png, …"
    )
    parser.set_defaults(
        output=Path("model"), id="", title="", steps=None, batch=None, seed=0, license="not stated", unlabeled=None, judge=True
    )


def doctor(arguments: argparse.Namespace) -> int:
    """Say what is wrong with a folder to train on, and what to do about it."""
    report = _report(arguments)
    print(json.dumps(to_json(report), indent=2, ensure_ascii=False) if arguments.json else "\n".join(lines_of(report)))
    return READY if report.ready else STOPPED


def lines_of(report: DoctorReport) -> Iterator[str]:
    """Yield a report as a person reads it: the facts, each finding with its way out, what to leave out."""
    if report.facts.cases:
        yield from _facts(report.facts)
    for finding in report.findings:
        shown = f"  [{', '.join(f'{number}.png' for number in finding.thumbnails)}]" if finding.thumbnails else ""
        yield f"{finding.severity.upper():5}  {finding.defect}: {finding.says}{shown}"
        yield f"         {finding.fix}"
    stops = [finding for finding in report.findings if finding.severity is Severity.STOPS]
    if not stops:
        yield "A training may start."
        return
    yield f"{len(stops)} finding{'s' if len(stops) > 1 else ''} must be mended, or the cases left out, before a training starts."
    if names := _to_exclude(stops):
        yield "To leave them out: " + " ".join(f"--exclude {shlex.quote(name)}" for name in names)


def _report(arguments: argparse.Namespace) -> DoctorReport:
    from medsynth_core.engines._doctor import examine
    from medsynth_core.engines._training import Terms

    terms = Terms(arguments.starter, arguments.base, "cpu")
    if arguments.thumbnails is not None:
        return examine(request_of(arguments), arguments.thumbnails, terms)
    with tempfile.TemporaryDirectory() as folder:
        return examine(request_of(arguments), Path(folder), terms)


def _facts(facts: Facts) -> Iterator[str]:
    sides = f"{facts.training} to learn from, {facts.tuning} to choose by, {facts.held_out} held out"
    yield f"{facts.cases} cases of {facts.groups} groups: {sides}."
    yield f"Sizes: {_counted(facts.sizes)}." + (f" Spacings: {_counted(facts.spacings)}." if facts.spacings else "")
    shares = [f"{value}: {share:.2%}" for value, share in facts.labels.items()]
    more = f" and {len(shares) - SHARES_SAID} more" if len(shares) > SHARES_SAID else ""
    low, high = facts.intensity
    yield f"Labels: {', '.join(shares[:SHARES_SAID])}{more}. Intensities: {low:g} to {high:g}; channels: {facts.channels}."


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{what} ({count})" for what, count in counts.items())


def _to_exclude(findings: list[Finding]) -> list[str]:
    return list(dict.fromkeys(case for finding in findings if finding.excludable for case in finding.cases))
