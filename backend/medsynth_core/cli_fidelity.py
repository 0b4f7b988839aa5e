"""`msynth evaluate fidelity DATA --model M -o OUT`."""

from __future__ import annotations

import argparse
from pathlib import Path

from medsynth_core.errors import ParameterError


def add_fidelity_arguments(parser: argparse.ArgumentParser) -> None:
    """Put the options of `msynth evaluate fidelity` on a parser."""
    parser.add_argument(
        "data", type=Path, metavar="DATA", help="the folder that the model was trained on, as msynth train takes it"
    )
    parser.add_argument("--model", required=True, help="name of an installed model, or its folder")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="folder for report.html and report.json")


def fidelity(args: argparse.Namespace) -> int:
    """Measure fidelity."""
    raise ParameterError("evaluate fidelity is not there yet")
