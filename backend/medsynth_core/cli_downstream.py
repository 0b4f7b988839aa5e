"""`msynth evaluate downstream DATA --model M -o OUT`: does synthetic data help a segmenter?"""

from __future__ import annotations

import argparse
from pathlib import Path

from medsynth_core.errors import ParameterError


def add_downstream_arguments(parser: argparse.ArgumentParser) -> None:
    """Put the options of `msynth evaluate downstream` on a parser."""
    parser.add_argument(
        "data", type=Path, metavar="DATA", help="the folder that the model was trained on, as msynth train takes it"
    )
    parser.add_argument("--model", help="name of an installed model, or its folder")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="folder for report.html and report.json")


def downstream(args: argparse.Namespace) -> int:
    """Measure whether a segmenter is better for synthetic pairs."""
    raise ParameterError("evaluate downstream is not there yet")
