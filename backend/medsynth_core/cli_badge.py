"""`msynth evaluate badge DATA --model M -o OUT`: gives a model what the badge of its results is measured with."""

from __future__ import annotations

import argparse
from pathlib import Path

from medsynth_core.cli_evaluating import progress
from medsynth_core.cli_reading import add_reading_arguments, reading_order
from medsynth_core.protocol import Thresholds


def add_badge_arguments(parser: argparse.ArgumentParser) -> None:
    """Put the options of `msynth evaluate badge` on a parser."""
    add = parser.add_argument
    add("data", type=Path, metavar="DATA", help="the folder that the model was trained on, as msynth train takes it")
    add("--model", required=True, help="name of an installed model, or its folder: the judge is written there")
    add("-o", "--output", type=Path, required=True, metavar="OUT", help="folder that keeps the trained networks for a second run")
    add("--no-index", action="store_true", help="leave out what training images are known by: vectors of people's images")
    add_reading_arguments(parser)


def badge(args: argparse.Namespace) -> int:
    """Train what the badge of a model's results is measured with, and write it into the model's folder."""
    from medsynth_core.studies.badge_run import BadgeRun, run
    from medsynth_core.studies.questioned import Question

    question = Question(args.data, args.model, reading_order(args))
    card = run(BadgeRun(question, args.output / "judges", not args.no_index), progress)
    print(f"{card.id}: {_told(card.quality)}")
    return 0


def _told(said: Thresholds) -> str:
    """Return what is judged of results and what is not; of masks alone the image that they were drawn on is."""
    if said.strangeness is not None:
        return f"strangeness of the image at most {said.strangeness:.3f}"
    limits = {"adherence at least": said.adherence, "likeness at most": said.likeness}
    return ", ".join(f"{name} {'not judged' if limit is None else f'{limit:.3f}'}" for name, limit in limits.items())
