"""`msynth tumor`: a tumor of the size, shape and place asked for, grown into a volume; image and mask together."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from medsynth_core.cli_batch import State
from medsynth_core.cli_jobs import find_card
from medsynth_core.cli_params import add_param_flags
from medsynth_core.cli_progress import duration
from medsynth_core.cli_tumor_order import ENGINE, Format, Order, make_order, plain_params
from medsynth_core.cli_tumor_run import Grower, Outcome
from medsynth_core.client import connect
from medsynth_core.copy_rule import OVERRIDE, OVERRIDE_HELP, not_saved
from medsynth_core.protocol import to_json
from medsynth_core.quality import KEY
from medsynth_core.quality_words import Tally

DEFAULT_MODEL = "lgg-flair"
DONE, FAILED = 0, 1
GO_ON = "run the same command again to go on from the slices that are made"


def add_tumor_arguments(parser: argparse.ArgumentParser) -> None:
    """Put the words of `msynth tumor` on a parser."""
    add = parser.add_argument
    add("-o", "--output", type=Path, required=True, metavar="OUTDIR", help="folder for image, mask and request.json")
    add("--model", default=DEFAULT_MODEL, help=f"see msynth models list (default {DEFAULT_MODEL})")
    add("--seed", type=int, default=0, help="same seed, same volume (default 0); volume i of --count has seed + i")
    add("--count", type=int, default=1, metavar="N", help="grow N volumes: image-000, mask-000, image-001, …")
    add("--format", choices=[one.value for one in Format], default=Format.NIFTI.value, help="of both files (default nifti)")
    add("--background", type=Path, metavar="VOL", help="a real volume to keep: NIfTI, OME-Zarr or the folder of a DICOM series")
    add("--series", type=int, metavar="NUMBER", help="the series to take from a DICOM folder that holds several")
    add(OVERRIDE, action="store_true", help=OVERRIDE_HELP)
    add("--again", action="store_true", help="make also what is done, and replace what is there")
    add("--json", action="store_true", help="print what was asked and got of each volume, one line of JSON")
    group = parser.add_argument_group("the tumor and its grid; a plausible value is drawn for what is left out")
    three = group.add_argument
    three("--center-mm", nargs=3, metavar=("X", "Y", "Z"), help="world RAS mm; without a background 0 0 0 is the volume's middle")
    three("--extent-mm", nargs=3, metavar=("X", "Y", "Z"), help="how wide, deep and high, mm; 0 follows the volume")
    three("--shape", nargs=3, metavar=("Z", "Y", "X"), help="the grid in voxels; 0 is the model's")
    three("--spacing", dest="spacing_mm", nargs=3, metavar=("Z", "Y", "X"), help="voxels in mm; 0 is the model's")
    add_param_flags(parser, plain_params())


def tumor(args: argparse.Namespace) -> int:
    """Grow what the arguments ask for and return the exit status. Raises InputError, ModelError, JobError, ServiceError."""
    order = make_order(args)
    outcomes, tally = list[Outcome](), Tally()
    started = time.monotonic()
    with connect(name="msynth") as engine:
        card = find_card(engine.capabilities(), ENGINE, args.model)
        order.folder.mkdir(exist_ok=True)
        grower = Grower(engine, order, card, args.again)
        try:
            with contextlib.closing(grower.run()) as results:
                for outcome in results:
                    _tell(outcome, args.json, tally)
                    outcomes.append(outcome)
        except KeyboardInterrupt:
            words = [*_summary(order, outcomes, time.monotonic() - started), f"stopped: {GO_ON}"]
            print("\n".join(words), file=sys.stderr)
            raise
    left_out = sum(one.state is State.LEFT_OUT for one in outcomes)
    for line in (*_summary(order, outcomes, time.monotonic() - started), *filter(None, (tally.line, not_saved(left_out)))):
        print(line, file=sys.stderr)
    return _status(order, outcomes)


def _status(order: Order, outcomes: Sequence[Outcome]) -> int:
    """Return the exit status, FAILED also where one is kept out. Raises what a single volume failed with."""
    problems = [outcome.problem for outcome in outcomes if outcome.problem is not None]
    if problems and len(order.pieces) == 1:
        raise problems[0]
    return FAILED if problems or any(one.state is State.LEFT_OUT for one in outcomes) else DONE


def _tell(outcome: Outcome, as_json: bool, tally: Tally) -> None:
    """Print a volume that was saved, and what is wrong with it, or why it is kept out."""
    record = outcome.record
    if record is None or outcome.state is State.SKIPPED:
        return
    if outcome.state is State.DONE:
        saved = [json.dumps(to_json(record), sort_keys=True)] if as_json else outcome.piece.outputs
        print(*saved, sep="\n", flush=True)
    for flag in record.flags:
        print(f"{record.image}: {flag}", file=sys.stderr)
    if words := tally.add({KEY: record.quality}):
        print(f"{record.image}: {words}", file=sys.stderr)


def _summary(order: Order, outcomes: Sequence[Outcome], seconds: float) -> list[str]:
    """Return the lines that end a run: for many volumes the counts, then each failure with its reason."""
    done, skipped, failed = (
        [one for one in outcomes if one.state is state] for state in (State.DONE, State.SKIPPED, State.FAILED)
    )
    if len(order.pieces) == 1:
        return [f"{one.piece.name} is there already, made from the same request: --again makes it anew" for one in skipped]
    words = [f"{len(done)} done"]
    words += [f"{len(skipped)} skipped, made before from the same request"] if skipped else []
    words += [f"{len(failed)} failed"] if failed else []
    words += [f"{rest} not made"] if (rest := len(order.pieces) - len(outcomes)) else []
    return [f"{'; '.join(words)}; {duration(seconds)}", *(f"  {one.piece.name}: {one.reason}" for one in failed)]
