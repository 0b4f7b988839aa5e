"""`msynth refine`: an image and a coarse mask in, a mask with a better boundary out; folders and patterns for many."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from medsynth_core.cli_batch import Batch, Outcome, State, summary
from medsynth_core.cli_case import ENGINE, Case, Wish, check_case, refine_case
from medsynth_core.cli_jobs import cancelled_unless_saved, find_card, follow
from medsynth_core.cli_journal import Journal
from medsynth_core.cli_params import add_param_flags, given_params, label_names
from medsynth_core.cli_plan import Folders, make_plan
from medsynth_core.cli_report import ReportFile
from medsynth_core.client import Job, connect
from medsynth_core.errors import ParameterError
from medsynth_core.file_pairs import is_many
from medsynth_core.protocol import Capabilities, ModelCard, ParamInfo, Scalar
from medsynth_core.quality_words import Tally

DEFAULT_MODEL = "refiner"
DONE, FAILED = 0, 1


def add_refine_arguments(parser: argparse.ArgumentParser) -> None:
    """Put the words of `msynth refine` on a parser."""
    add = parser.add_argument
    add("image", metavar="IMAGE", help="file or DICOM series folder; for many: a folder, or a quoted pattern such as 'a/*.png'")
    add("mask", nargs="?", metavar="MASK", help="coarse mask, any label values; for many: a folder or pattern, equal names pair")
    add("-o", "--output", type=Path, required=True, metavar="OUT", help="refined mask, on the grid of MASK; for many: a folder")
    add("--uncertainty", type=Path, metavar="OUT2", help="where the boundary is unsure, 0 to 255; for many: a folder")
    add("--locked", metavar="FILE", help="nonzero where the mask must stay as it is; for many: a folder or pattern")
    add("--report", type=Path, metavar="HTML", help="one page with pictures and figures of every case")
    add("--model", default=DEFAULT_MODEL, help=f"see msynth models list (default {DEFAULT_MODEL})")
    add("--seed", type=int, default=0, help="same seed, same mask (default 0)")
    add("--series", type=int, metavar="NUMBER", help="the series to take from a DICOM folder that holds several")
    add("--label", action="append", default=[], metavar="VALUE=NAME", help="what a label value means, for DICOM SEG and OME-Zarr")
    add("--keep-identity", action="store_true", help="a DICOM SEG keeps patient and study of the series; else they are replaced")
    add("--again", action="store_true", help="for many: make also what is done, and replace what is there")
    add("--json", action="store_true", help="print the recipe and the file of each mask, one line of JSON")
    add_param_flags(parser, declared_params())


def declared_params() -> tuple[ParamInfo, ...]:
    """Return the parameters the engine declares, which needs no network and no service."""
    from medsynth_core.engines._base import param_infos
    from medsynth_core.engines.refine.engine import Params

    return param_infos(Params)


def refine(args: argparse.Namespace) -> int:
    """Refine what the arguments name and return the exit status. Raises InputError, ModelError, JobError, ServiceError."""
    params = given_params(args, declared_params())
    if args.mask is None and not params.get("coarse"):
        raise ParameterError("there is no MASK: give one after IMAGE, or name the network that draws it with --coarse MODEL")
    if args.mask is not None and params.get("coarse"):
        raise ParameterError("there are a MASK and a --coarse network, which only draws where there is none: leave one out")
    report = None if args.report is None else ReportFile(args.report, str(params.get("axis", "z")))
    return _refine_many(args, params, report) if is_many(args.image) else _refine_one(args, params, report)


def _refine_one(args: argparse.Namespace, params: dict[str, Scalar], report: ReportFile | None) -> int:
    image = Path(args.image)
    mask, locked = (None if text is None else Path(text) for text in (args.mask, args.locked))
    case = Case(image.name, image, args.output, mask, locked, args.uncertainty, args.series, args.keep_identity)
    check_case(case)
    jobs: list[Job] = []

    def watch(job: Job) -> None:
        jobs.append(job)
        follow(job)

    with connect(name="msynth") as engine:
        wish, card, terms = _terms(engine.capabilities(), args, params)
        with cancelled_unless_saved(jobs):
            outcome = Outcome(case, State.DONE, refined=refine_case(engine, case, wish, watch))
            jobs.clear()
    tally = Tally()
    _tell(outcome, args.json, tally)
    if tally.line:
        print(tally.line, file=sys.stderr)
    if report is not None:
        report.add(outcome)
        report.write(terms["params"], card)
    return DONE


def _refine_many(args: argparse.Namespace, params: dict[str, Scalar], report: ReportFile | None) -> int:
    plan = make_plan(Folders(args.image, args.output, args.mask, args.locked, args.uncertainty))
    for remark in plan.remarks:
        print(remark, file=sys.stderr)
    cases = [replace(case, series=args.series, keep_identity=args.keep_identity) for case in plan.cases]
    outcomes = [Outcome(case, State.FAILED, reason) for case, reason in plan.refused]
    started, tally = time.monotonic(), Tally()
    with connect(name="msynth") as engine:
        wish, card, terms = _terms(engine.capabilities(), args, params)
        args.output.mkdir(exist_ok=True)
        batch = Batch(engine, wish, Journal(args.output, args.again), terms)
        try:
            with contextlib.closing(batch.run(cases)) as results:
                for outcome in results:
                    _tell(outcome, args.json, tally)
                    if report is not None:
                        report.add(outcome)
                    outcomes.append(replace(outcome, refined=None))  # its arrays are saved: thousands would fill the memory
        finally:
            ends = (*summary(outcomes, time.monotonic() - started), tally.line)
            print("\n".join(filter(None, ends)), file=sys.stderr)
    if report is not None:
        report.write(terms["params"], card, [(o.case.name, o.reason or o.state.value) for o in _not_made(outcomes)])
    return FAILED if _not_made(outcomes) else DONE


def _not_made(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.state in (State.FAILED, State.NOT_STARTED)]


def _terms(able: Capabilities, args: argparse.Namespace, params: dict[str, Scalar]) -> tuple[Wish, ModelCard, dict[str, Any]]:
    """Return the wish, the model's card, and all that decides a result beside the inputs."""
    infos = {info.name: info for info in able.engine(ENGINE).params}
    checked = {name: infos[name].check(value) for name, value in params.items()}
    card = find_card(able, ENGINE, args.model)
    drawing = [find_card(able, ENGINE, str(checked["coarse"]), "coarse")] if checked.get("coarse") else []
    names = {label.value: label.name for drawer in drawing for label in drawer.labels} | label_names(args.label)
    weights = {used.id: used.sha256 for used in (card, *drawing)}
    complete = {name: checked.get(name, info.default) for name, info in infos.items()}
    return Wish(card.id, args.seed, checked, names), card, {"models": weights, "seed": args.seed, "params": complete}


def _tell(outcome: Outcome, as_json: bool, tally: Tally) -> None:
    refined = outcome.refined
    if refined is None:
        return
    told = json.dumps({**refined.recipe, "output": str(outcome.case.output)}, sort_keys=True) if as_json else outcome.case.output
    print(told, flush=True)
    if words := tally.add(refined.recipe):
        print(f"{outcome.case.name}: {words}", file=sys.stderr)
    if refined.kept:
        print(f"{outcome.case.name}: kept as it was, as the result would have left its input: {refined.kept}", file=sys.stderr)
    for path in refined.beside:
        print(f"{path.stem} cannot hold its recipe: it is in {path.name}", file=sys.stderr)
