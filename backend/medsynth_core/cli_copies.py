"""`msynth evaluate copies DATA --model M -o OUT`: does the model repeat what it learned from?"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from medsynth_core.cli_evaluating import add_question_arguments, progress, question_of
from medsynth_core.copy_rule import OVERRIDE
from medsynth_core.errors import ParameterError


def add_copies_arguments(parser: argparse.ArgumentParser) -> None:
    """Put the options of `msynth evaluate copies` on a parser."""
    parser.add_argument("--export", type=Path, metavar="DIR", help="write the samples there; flagged ones are kept out")
    parser.add_argument(OVERRIDE, action="store_true", help="export flagged samples, too; every file and the manifest say so")
    add_question_arguments(parser, 50, "samples of each kind at most")


def copies(args: argparse.Namespace) -> int:
    """Measure how many samples look like copies of training images."""
    from medsynth_core.studies.copies_run import CopiesRun, run

    if args.allow_copies and args.export is None:
        raise ParameterError(f"{OVERRIDE} is about an export: name its folder with --export DIR")
    command, question = shlex.join(["msynth", *sys.argv[1:]]), question_of(args)
    found = run(CopiesRun(question, args.output, args.count, args.workers, args.export, args.allow_copies, command), progress)
    for sentence in found.answers:
        print(sentence)
    print(found.page)
    return 0
