"""`msynth dataset`: as many pairs of image and labels as wanted, from masks that are changed each time, filtered, in a folder."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections import Counter
from pathlib import Path

from medsynth_core.cli_batch import State
from medsynth_core.cli_dataset_filter import Judge, Judges, PlainJudge
from medsynth_core.cli_dataset_masks import Change
from medsynth_core.cli_dataset_order import USUAL_CHANGES, Order, Wish, make_order
from medsynth_core.cli_dataset_run import Maker, Outcome, check_some
from medsynth_core.cli_layouts import Layout
from medsynth_core.cli_making import Progress
from medsynth_core.cli_progress import ProgressLine, duration, how_far
from medsynth_core.client import connect
from medsynth_core.copy_rule import OVERRIDE
from medsynth_core.errors import ParameterError
from medsynth_core.protocol import to_json

DONE, FAILED = 0, 1
NONE = "none"
GO_ON = "run the same command again to go on"
LEAST_ADHERENCE = 0.5


def add_dataset_arguments(parser: argparse.ArgumentParser) -> None:
    """Put the words of `msynth dataset` on a parser."""
    add = parser.add_argument
    add("model", metavar="MODEL", help="see msynth models list: one that makes images, nuclei or tumor volumes")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--masks", default="", metavar="DIR", help="masks to vary: a folder, a file or a quoted pattern")
    source.add_argument("--sample", action="store_true", help="nuclei, tumor: the model draws its own; else masks that ship")
    add("--count", type=int, required=True, metavar="N", help="samples wanted")
    add("-o", "--output", type=Path, required=True, metavar="OUT", help="folder for images/, masks/, manifest.json")
    add("--seed", type=int, default=0, help="same seed, same data set (default 0)")
    changes = [*(change.value for change in Change), NONE]
    add("--augment", nargs="+", choices=changes, default=None, metavar="CHANGE", help=f"of {', '.join(changes)} (default all)")
    add("--lesion", type=int, action="append", default=[], metavar="VALUE", help="label that swap moves (default all); repeat")
    add("--layout", choices=[one.value for one in Layout], action="append", default=[], help="also in this form; repeat for more")
    add("--option", action="append", default=[], metavar="NAME=VALUE", help="any parameter of the engine or option of the model")
    add("--json", action="store_true", help="print the record of each sample, one line of JSON")
    add("--again", action="store_true", help="make also what is done, and replace what is there")
    group = parser.add_argument_group("what is left out")
    more = group.add_argument
    more("--real", type=Path, metavar="DATA", help="what the model was trained on: samples are held against it (see docs)")
    more("--metadata", type=Path, metavar="CSV", help="table of DATA, as msynth train had it")
    more("--group-by", default="", metavar="COLUMN", help="whose an image is, as msynth train had it")
    more("--starter", default="", metavar="RECIPE", help="as msynth train had it, such as polyp, if DATA is a starter's data")
    adhere = f"left out below this share of what real images reach (default {LEAST_ADHERENCE})"
    more("--min-adherence", type=float, default=LEAST_ADHERENCE, metavar="SHARE", help=adhere)
    more("--keep-all", action="store_true", help="note what judges object to, and leave nothing out but copies")
    more(OVERRIDE, action="store_true", help="keep samples that look like training images; every file and the manifest say so")


def dataset(args: argparse.Namespace) -> int:
    """Make a data set of image and labels, filtered and marked, and return the exit status.

    Raises InputError, ModelError, JobError, ServiceError.
    """
    wish = wish_of(args)
    started = time.monotonic()
    with connect(name="msynth") as engine:
        order = make_order(wish, engine.capabilities())
        judge = _judge(args, order)
        line = ProgressLine()
        maker = Maker(engine, order, judge, lambda far: line.show(words(far)))
        outcomes: list[Outcome] = []
        try:
            with contextlib.closing(maker.run()) as results:
                for outcome in results:
                    line.clear()
                    _tell(outcome, args.json)
                    outcomes.append(outcome)
                    line.show(words(maker.progress))
        except KeyboardInterrupt:
            print(f"{_summary(wish, outcomes, started)}; stopped: {GO_ON}", file=sys.stderr)
            raise
        finally:
            line.clear()
    records = maker.finish()
    print(_summary(wish, outcomes, started), file=sys.stderr)
    check_some(records, [one.reason for one in outcomes if one.state is State.LEFT_OUT])
    return _status(outcomes, wish)


def wish_of(args: argparse.Namespace) -> Wish:
    """Return what a command line asks for. Raises ParameterError."""
    if args.augment is not None and NONE in args.augment and len(args.augment) > 1:
        raise ParameterError(f"--augment is {' '.join(args.augment)}: none stands alone")
    if args.real is None and (args.metadata or args.group_by or args.starter):
        raise ParameterError("--metadata, --group-by and --starter are about real data: name its folder with --real DATA")
    asked = [] if args.augment == [NONE] else args.augment
    changes = USUAL_CHANGES if asked is None else tuple(Change(name) for name in dict.fromkeys(asked))
    layouts = tuple(dict.fromkeys(Layout(name) for name in args.layout))
    return Wish(
        args.model,
        args.output,
        args.count,
        args.masks,
        args.seed,
        changes,
        tuple(args.lesion),
        layouts,
        tuple(args.option),
        tuple(args.rest),
        args.allow_copies,
        args.keep_all,
        args.again,
    )


def words(far: Progress) -> str:
    """Return "3 of 20, 4 min left, 1 left out"."""
    left_out = f", {far.left_out} left out" if far.left_out else ""
    return how_far(far.done, far.total, far.seconds_left) + left_out


def _judge(args: argparse.Namespace, order: Order) -> Judge:
    if args.real is None:
        return PlainJudge()
    from medsynth_core.cli_dataset_real import Real, real_judge
    from medsynth_core.cli_evaluating import progress

    real = Real(args.real, args.metadata, args.group_by, args.starter, args.min_adherence)
    return Judges((PlainJudge(), real_judge(real, order, progress)))


def _status(outcomes: list[Outcome], wish: Wish) -> int:
    """Return the exit status. Raises what a single sample failed with: it is the sentence to tell."""
    problems = [outcome.problem for outcome in outcomes if outcome.problem is not None]
    if problems and len(problems) == len(outcomes):
        raise problems[0]
    there = sum(one.state in (State.DONE, State.SKIPPED) for one in outcomes)
    return FAILED if problems or there < wish.count else DONE


def _tell(outcome: Outcome, as_json: bool) -> None:
    if outcome.problem is not None:
        print(f"{outcome.piece.name}: {outcome.problem}", file=sys.stderr)
    elif outcome.state is State.DONE and outcome.record is not None:
        print(json.dumps(to_json(outcome.record), sort_keys=True) if as_json else outcome.piece.image, flush=True)


def _summary(wish: Wish, outcomes: list[Outcome], started: float) -> str:
    """Return how many became what, in how long, and why some were left out."""
    counts = Counter(outcome.state for outcome in outcomes)
    there = counts[State.DONE] + counts[State.SKIPPED]
    told = [f"{counts[State.DONE]} done"]
    told += [f"{counts[State.SKIPPED]} skipped, made before from the same request"] if counts[State.SKIPPED] else []
    told += [f"{counts[State.FAILED]} failed"] if counts[State.FAILED] else []
    reasons = Counter(outcome.reason for outcome in outcomes if outcome.state is State.LEFT_OUT)
    told += [f"{count} {reason}" for reason, count in reasons.most_common()]
    told += [f"{wish.count - there} of {wish.count} are missing"] if there < wish.count else []
    return f"{'; '.join(told)}; {duration(time.monotonic() - started)}"
