"""`msynth evaluate fidelity DATA --model M -o OUT`: is what the model makes like real images, and what was asked for?"""

from __future__ import annotations

import argparse
import shlex
import sys

from medsynth_core.cli_evaluating import add_question_arguments, progress, question_of


def add_fidelity_arguments(parser: argparse.ArgumentParser) -> None:
    """Put the options of `msynth evaluate fidelity` on a parser."""
    add_question_arguments(parser, 100, "held-out masks, or volumes, at most")


def fidelity(args: argparse.Namespace) -> int:
    """Measure how faithful a model is: masks, distance from real images, diversity, and what its kind of data asks for."""
    from medsynth_core.studies.fidelity_run import FidelityRun, run

    question = question_of(args)
    found = run(FidelityRun(question, args.output, args.count, args.workers, shlex.join(["msynth", *sys.argv[1:]])), progress)
    for figure in found.figures:
        beside = figure.beside_said.replace("\n", ", ")
        print(f"{figure.title}: {figure.said}" + (f" ({beside})" if figure.beside is not None else ""))
    print(found.page)
    return 0
