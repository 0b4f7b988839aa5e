"""`msynth evaluate QUESTION …`: does it help, is it faithful, does it copy? Each question has a file of its own."""

from __future__ import annotations

import argparse

from medsynth_core.cli_badge import add_badge_arguments, badge
from medsynth_core.cli_copies import add_copies_arguments, copies
from medsynth_core.cli_downstream import add_downstream_arguments, downstream
from medsynth_core.cli_fidelity import add_fidelity_arguments, fidelity

QUESTIONS = (
    ("downstream", add_downstream_arguments, downstream),
    ("fidelity", add_fidelity_arguments, fidelity),
    ("copies", add_copies_arguments, copies),
    ("badge", add_badge_arguments, badge),
)
"""Name, what puts its options on a parser, what answers it and returns the exit status; its docstring is the help."""


def add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    """Put the questions on the parser of `msynth evaluate`."""
    questions = parser.add_subparsers(required=True, metavar="QUESTION")
    for name, add_arguments, answer in QUESTIONS:
        one = questions.add_parser(name, help=_first_line(answer), description=answer.__doc__, allow_abbrev=False)
        add_arguments(one)
        one.set_defaults(run=answer)


def _first_line(answer: object) -> str:
    return (answer.__doc__ or "").splitlines()[0].rstrip(".").lower()
