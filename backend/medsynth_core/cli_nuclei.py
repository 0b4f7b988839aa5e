"""`msynth nuclei`: pairs of histology and instances from nothing, from some nuclei, or from a field edited by hand."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from medsynth_core.cli_batch import State
from medsynth_core.cli_jobs import find_card
from medsynth_core.cli_layouts import Layout, Pair, Subject, lay_out
from medsynth_core.cli_nuclei_manifest import Manifest
from medsynth_core.cli_nuclei_order import ENGINE, Order, Piece, declared_params, make_order
from medsynth_core.cli_nuclei_run import Maker, Outcome
from medsynth_core.cli_params import add_param_flags
from medsynth_core.cli_progress import duration
from medsynth_core.client import connect
from medsynth_core.copy_rule import OVERRIDE, OVERRIDE_HELP, marked, not_saved
from medsynth_core.protocol import ModelCard, to_json
from medsynth_core.quality import KEY
from medsynth_core.quality_words import Tally

DEFAULT_MODEL = "nuclei-he"
DONE, FAILED = 0, 1


def add_nuclei_arguments(parser: argparse.ArgumentParser) -> None:
    """Put the words of `msynth nuclei` on a parser."""
    add = parser.add_argument
    add("-o", "--output", type=Path, required=True, metavar="DIR", help="folder for images/, instances/, structures/, manifest")
    add("--model", default=DEFAULT_MODEL, help=f"see msynth models list (default {DEFAULT_MODEL})")
    add("--seed", type=int, default=0, help="same seed, same pair (default 0); pair i of --count has seed + i")
    add("--count", type=int, default=1, metavar="N", help="make N pairs")
    add("--stain", type=Path, metavar="IMG", help="a tile whose stain all images get; default: one drawn for each")
    add("--mask", type=Path, metavar="INSTANCES", help="nuclei to paint, or with --given complete to put others between")
    add("--layout", choices=[one.value for one in Layout], action="append", default=[], help="also in this form; repeat for more")
    add(OVERRIDE, action="store_true", help=OVERRIDE_HELP)
    add("--again", action="store_true", help="make also what is done, and replace what is there")
    add("--json", action="store_true", help="print the record of each pair, one line of JSON")
    add_param_flags(parser, declared_params())


def nuclei(args: argparse.Namespace) -> int:
    """Make what the arguments ask for and return the exit status. Raises InputError, ModelError, JobError, ServiceError."""
    order = make_order(args)
    outcomes, tally = list[Outcome](), Tally()
    started = time.monotonic()
    with connect(name="msynth") as engine:
        card = find_card(engine.capabilities(), ENGINE, args.model)
        maker = Maker(engine, order, card, args.again)
        try:
            with contextlib.closing(maker.run()) as results:
                for outcome in results:
                    _tell(outcome, args.json, tally)
                    outcomes.append(outcome)
        except KeyboardInterrupt:
            print(f"{_summary(order, outcomes, started)}; run the same command again to go on", file=sys.stderr)
            raise
    pairs = laid(order, card)
    for layout in order.layouts:
        lay_out(layout, order.folder, nuclei_of(card), pairs)
    left_out = sum(one.state is State.LEFT_OUT for one in outcomes)
    print(*filter(None, (_summary(order, outcomes, started), tally.line, not_saved(left_out))), sep="\n", file=sys.stderr)
    return _status(order, outcomes)


def laid(order: Order, card: ModelCard) -> list[Pair]:
    """Return the pairs that are there, for another layout of them."""
    manifest = Manifest(order.folder, card)

    def recipe(piece: Piece) -> dict[str, Any]:
        record = manifest.record(piece.name)
        made = {"engine": ENGINE, "model": card.id, "synthetic": True, "seed": piece.seed}
        return made | marked(record.copy_check if record else "")

    return [Pair(piece.name, piece.image, piece.instances, recipe(piece)) for piece in order.pieces if piece.is_there]


def nuclei_of(card: ModelCard) -> Subject:
    """Return what the instances of a model of nuclei are."""
    return Subject(card.id, {1: "nucleus"}, instances=True, license=card.license)


def _status(order: Order, outcomes: list[Outcome]) -> int:
    """Return the exit status, FAILED also where one is kept out. Raises what a single pair failed with."""
    problems = [outcome.problem for outcome in outcomes if outcome.problem is not None]
    if problems and len(order.pieces) == 1:
        raise problems[0]
    return FAILED if problems or any(one.state is State.LEFT_OUT for one in outcomes) else DONE


def _tell(outcome: Outcome, as_json: bool, tally: Tally) -> None:
    if outcome.problem is not None:
        print(f"{outcome.piece.name}: {outcome.problem}", file=sys.stderr)
    elif outcome.record is not None and outcome.state is not State.SKIPPED:
        if outcome.state is State.DONE:
            print(json.dumps(to_json(outcome.record), sort_keys=True) if as_json else outcome.piece.image, flush=True)
        if words := tally.add({KEY: outcome.record.quality}):
            print(f"{outcome.piece.name}: {words}", file=sys.stderr)


def _summary(order: Order, outcomes: list[Outcome], started: float) -> str:
    """Return how many became what, in how long."""
    counts = {state: sum(one.state is state for one in outcomes) for state in (State.DONE, State.SKIPPED, State.FAILED)}
    words = [f"{counts[State.DONE]} done"]
    words += [f"{counts[State.SKIPPED]} skipped, made before from the same request"] if counts[State.SKIPPED] else []
    words += [f"{counts[State.FAILED]} failed"] if counts[State.FAILED] else []
    words += [f"{rest} not made"] if (rest := len(order.pieces) - len(outcomes)) else []
    return f"{'; '.join(words)}; {duration(time.monotonic() - started)}"
