"""What `msynth evaluate fidelity` and `msynth evaluate copies` have in common on the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from medsynth_core.cli_progress import how_far
from medsynth_core.cli_reading import add_reading_arguments, reading_order
from medsynth_core.errors import ParameterError

if TYPE_CHECKING:
    from medsynth_core.studies.at_work import HowFar
    from medsynth_core.studies.questioned import Question

HELD_OUT = "held-out"


def add_question_arguments(parser: argparse.ArgumentParser, count: int, of_what: str) -> None:
    """Put on a parser what is questioned, and how much of it."""
    add = parser.add_argument
    add("data", type=Path, metavar="DATA", help="the folder that the model was trained on, as msynth train takes it")
    add("--model", required=True, help="name of an installed model, or its folder")
    add("-o", "--output", type=Path, required=True, metavar="OUT", help="folder for report.html and report.json")
    add("--count", type=int, default=count, metavar="N", help=f"{of_what} (default {count})")
    add("--side", default=HELD_OUT, choices=(HELD_OUT, "tuning"), help="real images beside; tuning is for choosing settings")
    add("--workers", type=int, default=1, metavar="N", help="processes of one thread each (default 1)")
    add_reading_arguments(parser)


def question_of(args: argparse.Namespace) -> Question:
    """Return the question. Raises ParameterError for numbers below one."""
    from medsynth_core.studies.questioned import Question

    for name in ("count", "workers"):
        if getattr(args, name) < 1:
            raise ParameterError(f"--{name} is {getattr(args, name)}: it must be 1 or more")
    return Question(args.data, args.model, reading_order(args), args.side.replace("-", " "))


def progress(far: HowFar) -> None:
    """Say on stderr how far a study is."""
    print(f"{far.what}: {how_far(far.done, far.total, far.seconds_left)}", file=sys.stderr, flush=True)
